"""Parameters from the command line: NAME=VALUE, the value read as YAML, as `--set` reads it."""

from collections.abc import Iterable
from typing import Any

from pipeline.yaml_text import NotYaml, from_yaml
from trainer.errors import ConfigError


def parse(given: Iterable[str]) -> dict[str, Any]:
    """Values by name; of several for one name the last. Raises ConfigError."""
    values: dict[str, Any] = {}
    for argument in given:
        name, equals, text = argument.partition("=")
        if not equals or not name:
            raise ConfigError(f"Expected --parameter NAME=VALUE, like --parameter epochs=3. Received: '{argument}'.")
        try:
            value = from_yaml(text, f"--parameter {name}") if text else ""
        except NotYaml:
            value = text
        values[name] = value if isinstance(value, str | int | float | bool | list | dict) else text
    return values
