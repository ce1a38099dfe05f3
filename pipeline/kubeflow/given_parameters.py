"""Parameters from the command line: NAME=VALUE, each value read as the kind that the package declares for it."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.kubeflow.package import Package
from pipeline.yaml_text import NotYaml, from_yaml
from trainer.errors import ConfigError

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_BOOLEANS = {"true": True, "false": False}


def parse(given: Iterable[str]) -> dict[str, str]:
    """Texts by name; of several for one name the last. Raises ConfigError."""
    texts: dict[str, str] = {}
    for argument in given:
        name, equals, text = argument.partition("=")
        if not equals or not name:
            raise ConfigError(f"Expected --parameter NAME=VALUE, like --parameter epochs=3. Received: '{argument}'.")
        texts[name] = text
    return texts


def typed(package: Package, texts: Mapping[str, str]) -> dict[str, Any]:
    """Values by name, of the package's `parameterType`s; a text that is no such value stays a text, which KFP's rules refuse."""
    kinds = {name: definition.get("parameterType", "") for name, definition in package.parameters.items()}
    return {name: _value(kinds.get(name, ""), text) for name, text in texts.items()}


def _value(kind: str, text: str) -> Any:
    match kind:
        case "NUMBER_INTEGER" | "NUMBER_DOUBLE":
            return _number(kind, text.strip())
        case "BOOLEAN":
            return _BOOLEANS.get(text.strip().lower(), text)
        case "LIST":
            value = _read(text)
            return value if isinstance(value, list) else text
        case "STRUCT":
            value = _read(text)
            return value if isinstance(value, dict) else text
    value = _read(text)  # a quoted text loses its quotes, as with --set
    return value if isinstance(value, str) else text


def _number(kind: str, text: str) -> Any:
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        return text
    number = float(text)
    if kind == "NUMBER_DOUBLE":
        return number
    return int(number) if number.is_integer() else text


def _read(text: str) -> Any:
    try:
        return from_yaml(text, "--parameter")
    except (NotYaml, ConfigError):  # a text then, which its kind decides about
        return None
