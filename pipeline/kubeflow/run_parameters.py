"""The parameters of one run: texts from the command line -> values of the kinds that the package declares -> over its defaults, checked.

Checked as KFP's API server checks them, so that a mistake is told before anything is sent.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.kubeflow.package import Package, PackageError
from pipeline.yaml_text import NotYaml, from_yaml
from trainer.errors import ConfigError, did_you_mean

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_BOOLEANS = {"true": True, "false": False}
_PARAMETER_TYPES: dict[str, tuple[tuple[type, ...], str, str]] = {
    "NUMBER_DOUBLE": ((int, float), "double or integer", "number"),
    "NUMBER_INTEGER": ((int, float), "double or integer", "number"),
    "STRING": ((str,), "string", "string"),
    "BOOLEAN": ((bool,), "bool", "bool"),
    "LIST": ((list,), "list", "list"),
    "STRUCT": ((dict,), "struct", "struct"),
}


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


def over_defaults(package: Package, given: dict[str, Any]) -> dict[str, Any]:
    """The run's parameters: what was given, over the defaults. Raises PackageError as KFP does."""
    extra = sorted(set(given) - set(package.parameters))
    if extra:
        near = did_you_mean(extra[0], package.parameters)
        raise PackageError(f"invalid pipeline job inputs: parameter(s) provided are not required by pipeline: {', '.join(extra)}.{near}")
    values = {}
    for name, definition in package.parameters.items():
        if name in given:
            _check_parameter(name, definition, given[name])
            values[name] = given[name]
        elif "defaultValue" in definition:
            values[name] = definition["defaultValue"]
        elif not definition.get("isOptional"):
            raise PackageError(
                f"invalid pipeline job inputs: parameter {name} is not optional, yet has neither default value nor user provided value"
            )
    return values


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


def _check_parameter(name: str, definition: dict[str, Any], value: Any) -> None:
    kind = definition.get("parameterType", "")
    if kind not in _PARAMETER_TYPES:
        raise PackageError(f"input parameter {name} has unspecified type")
    types, expected, found = _PARAMETER_TYPES[kind]
    if not isinstance(value, types) or (isinstance(value, bool) and kind != "BOOLEAN"):
        raise PackageError(
            f"invalid pipeline job inputs: input parameter {name} requires type {expected}, "
            f"but the parameter value is not of {found} value type. Received: {json.dumps(value)}"
        )
