"""The parameters of one run, over the package's defaults, checked as KFP's API server checks them."""

import json
from typing import Any

from pipeline.kubeflow.package import Package, PackageError
from trainer.errors import did_you_mean

_PARAMETER_TYPES: dict[str, tuple[tuple[type, ...], str, str]] = {
    "NUMBER_DOUBLE": ((int, float), "double or integer", "number"),
    "NUMBER_INTEGER": ((int, float), "double or integer", "number"),
    "STRING": ((str,), "string", "string"),
    "BOOLEAN": ((bool,), "bool", "bool"),
    "LIST": ((list,), "list", "list"),
    "STRUCT": ((dict,), "struct", "struct"),
}


def root_parameters(package: Package, given: dict[str, Any]) -> dict[str, Any]:
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
