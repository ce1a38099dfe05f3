"""Predict's JSON, in both of TensorFlow Serving's forms: row (`instances` -> `predictions`) and columnar (`inputs` -> `outputs`).

read_inputs(body, signature):  instances or inputs -> arrays of the signature's dtypes, nothing cast
write_outputs(outputs, row):   arrays -> the reply's body; names are left out when there is one output
"""

import base64
import binascii
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serving.errors import InvalidArgumentError
from serving.server.saved_model import Signature
from serving.tensors import STRING, dtype_name, numpy_dtype, strings


def parse_body(body: bytes) -> dict[str, Any]:
    """The request's JSON object. Raises InvalidArgumentError."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidArgumentError(f"JSON Parse error: {_parse_problem(body, error)}") from error
    if not isinstance(parsed, dict):
        raise InvalidArgumentError(f"JSON Value: {_show(parsed)} Is not object")
    if not isinstance(parsed.get("signature_name", ""), str):
        raise InvalidArgumentError(f"JSON Value: {_show(parsed)} not formatted correctly. 'signature_name' key must be a string value.")
    return parsed


def is_row_format(parsed: Mapping[str, Any]) -> bool:
    """True for `instances`, False for `inputs`. Raises InvalidArgumentError unless there is exactly one of them."""
    if "instances" in parsed and "inputs" in parsed:
        raise InvalidArgumentError(
            f"JSON Value: {_show(parsed)} Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist"
        )
    if "instances" not in parsed and "inputs" not in parsed:
        raise InvalidArgumentError("Missing 'inputs' or 'instances' key")
    return "instances" in parsed


def read_inputs(parsed: Mapping[str, Any], signature: Signature) -> dict[str, np.ndarray]:
    """Arrays by input name. Raises InvalidArgumentError."""
    row = is_row_format(parsed)
    columns = _columns_of_rows(parsed["instances"], signature) if row else _columns(parsed["inputs"], signature)
    return {name: _array(value, signature.inputs[name].dtype) for name, value in columns.items()}


def write_outputs(outputs: Mapping[str, np.ndarray], *, row: bool) -> bytes:
    """The reply's body. Raises InvalidArgumentError where outputs have no common batch dimension to make rows of."""
    values = {name: _json_values(name, array) for name, array in outputs.items()}
    if not row:
        return _dump({"outputs": _unnamed(values)})
    _check_batch(outputs)
    if len(values) == 1:
        return _dump({"predictions": _unnamed(values)})
    return _dump({"predictions": [dict(zip(values, entry, strict=True)) for entry in zip(*values.values(), strict=True)]})


def _columns_of_rows(instances: Any, signature: Signature) -> dict[str, list]:
    if not isinstance(instances, list):
        raise InvalidArgumentError(f"JSON Value: {_show(instances)} Excepting 'instances' to be an list/array")
    if not instances:
        raise InvalidArgumentError("JSON Value: [] No values in 'instances' array")
    named = _is_named(instances[0])
    for position, instance in enumerate(instances):
        if _is_named(instance) != named:
            expected, got = ("object", "list") if named else ("value/list", "object")
            raise InvalidArgumentError(f"Expecting {expected} but got {got} at item {position} of input list")
    if not named:
        return {_only_input(signature, "instances is a plain list, but expecting list of objects"): instances}
    for position, instance in enumerate(instances):
        if set(instance) != set(signature.inputs):
            raise InvalidArgumentError(
                f"Failed to process element: {position} of 'instances' list. JSON object: {_show(instance)} "
                f"keys must be equal to: {','.join(sorted(signature.inputs))}"
            )
    return {name: [instance[name] for instance in instances] for name in signature.inputs}


def _columns(inputs: Any, signature: Signature) -> dict[str, Any]:
    if not _is_named(inputs):
        return {_only_input(signature, "inputs is a plain value/list, but expecting an object"): inputs}
    for name in signature.inputs:
        if name not in inputs:
            raise InvalidArgumentError(f"Missing named input: {name} in 'inputs' object.")
    return {name: inputs[name] for name in signature.inputs}


def _only_input(signature: Signature, problem: str) -> str:
    if len(signature.inputs) != 1:
        raise InvalidArgumentError(f"{problem} as multiple input tensors required as per tensorinfo_map")
    return next(iter(signature.inputs))


def _is_named(value: Any) -> bool:
    """An object of named inputs, as opposed to `{"b64": ...}`, which is a string."""
    return isinstance(value, dict) and not (set(value) == {"b64"} and isinstance(value["b64"], str))


def _array(value: Any, dtype: int) -> np.ndarray:
    """The array of nested lists. Every list of a level must have the length of the first one, every value the JSON type of the dtype."""
    shape: tuple[int, ...] = ()
    leaves = [value]
    while leaves and isinstance(leaves[0], list):
        size = len(leaves[0])
        for item in leaves:
            if not isinstance(item, list):
                raise InvalidArgumentError(f"JSON Value: {_show(item)} found at incorrect level: {len(shape) + 1} in the JSON DOM.")
            if len(item) != size:
                raise InvalidArgumentError(f"Encountered list at unexpected size: {len(item)} at level: {len(shape)} expected size: {size}")
        leaves = list(itertools.chain.from_iterable(leaves))
        shape += (size,)
    for leaf in leaves:
        if isinstance(leaf, list):
            raise InvalidArgumentError(f"Encountered list at unexpected level: {len(shape)} expected < {len(shape)}")
    return _leaves(leaves, dtype).reshape(shape)


def _leaves(leaves: Sequence[Any], dtype: int) -> np.ndarray:
    if dtype == STRING:
        return strings([_bytes(leaf) for leaf in leaves])
    target = numpy_dtype(dtype)
    accepted = {"b": {bool}, "i": {int}, "u": {int}, "f": {int, float}}[target.kind]
    for leaf in leaves:
        if type(leaf) not in accepted:
            raise _type_error(leaf, dtype)
        if target.kind in "iu" and not np.iinfo(target).min <= leaf <= np.iinfo(target).max:
            raise _type_error(leaf, dtype)
    try:
        array = np.array(leaves, np.float64 if target.kind == "f" else target)
    except OverflowError as error:
        raise InvalidArgumentError(f"Cannot convert JSON value to {dtype_name(dtype)} without loss of precision.") from error
    if target.kind == "f" and np.any(np.isfinite(array) & (np.abs(array) > np.finfo(target).max)):
        raise InvalidArgumentError(f"Cannot convert JSON value to {dtype_name(dtype)} without loss of precision.")
    return array.astype(target)


def _bytes(leaf: Any) -> bytes:
    if isinstance(leaf, str):
        return leaf.encode("utf-8", "surrogatepass")
    if isinstance(leaf, dict):
        if _is_named(leaf):
            raise InvalidArgumentError(f"JSON Value: {_show(leaf)} not formatted correctly for base64 data")
        return _base64(leaf["b64"])
    raise _type_error(leaf, STRING)


def _base64(text: str) -> bytes:
    """Both alphabets, padded or not."""
    try:
        plain = text.rstrip("=").translate(str.maketrans("-_", "+/"))
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidArgumentError("Unable to base64 decode") from error


def _type_error(leaf: Any, dtype: int) -> InvalidArgumentError:
    kinds = {type(None): "Null", bool: "Bool", int: "Number", float: "Number", str: "String", dict: "Object"}
    return InvalidArgumentError(f"JSON Value: {_show(leaf)} Type: {kinds[type(leaf)]} is not of expected type: {dtype_name(dtype)}")


def _json_values(name: str, array: np.ndarray) -> Any:
    if array.dtype == object:
        as_base64 = name.endswith("_bytes")
        convert = _base64_object if as_base64 else lambda value: value.decode("utf-8", "replace")
        return _nested([convert(value) for value in array.ravel()], array.shape)
    if array.dtype.kind == "f" and array.dtype != np.float64:  # the shortest text that reads back as the same float32: 0.1
        return array.astype(str).astype(np.float64).tolist()
    return array.tolist()


def _nested(values: list, shape: tuple[int, ...]) -> Any:
    array = np.empty(len(values), object)
    array[:] = values
    return array.reshape(shape).tolist()


def _base64_object(value: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(value).decode()}


def _check_batch(outputs: Mapping[str, np.ndarray]) -> None:
    size = None
    for name, array in outputs.items():
        if array.ndim == 0:
            raise InvalidArgumentError(f"Tensor name: {name} has no shape information ")
        if size is not None and len(array) != size:
            raise InvalidArgumentError(f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {size}")
        size = len(array)


def _unnamed(values: Mapping[str, Any]) -> Any:
    return next(iter(values.values())) if len(values) == 1 else values


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _show(value: Any) -> str:
    """A value for an error message, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else text[:200] + "..."


def _parse_problem(body: bytes, error: Exception) -> str:
    if not body.strip():
        return "The document is empty"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at offset: {error.pos}"
    return "nested too deeply" if isinstance(error, RecursionError) else "not UTF-8"
