"""Predict's JSON, in both of TensorFlow Serving's forms: row (`instances` -> `predictions`) and columnar (`inputs` -> `outputs`).

read_inputs(body, signature):  instances or inputs -> arrays of the signature's dtypes, nothing cast
write_outputs(outputs, row):   arrays -> the reply's body; names are left out when there is one output
"""

import base64
import binascii
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serving.errors import InvalidArgumentError, ServingError, UnimplementedError
from serving.server import json_in_pieces
from serving.server.reading import LARGE_BYTES
from serving.server.saved_model import Signature
from serving.tensors import STRING, check_dimensions, dtype_name, numpy_dtype, strings

# float, double, int32, uint8, int16, int8, int64, bool, uint32, uint64: what TensorFlow Serving makes of JSON; bfloat16 and the like not
_PIECE = 8 * 1024  # values that are converted without letting other threads run
_JSON_DTYPES = {number: numpy_dtype(number) for number in (1, 2, 3, 4, 5, 6, 9, 10, 22, 23)}


def parse_body(body: bytes) -> dict[str, Any]:
    """The request's JSON object. Raises InvalidArgumentError."""
    try:
        parsed = json_in_pieces.loads(body) if len(body) > LARGE_BYTES else json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidArgumentError(f"JSON Parse error: {_parse_problem(body, error)}") from error
    if not isinstance(parsed, dict):
        raise InvalidArgumentError(f"JSON Value: {show(parsed)} Is not object")
    if not isinstance(parsed.get("signature_name", ""), str):
        raise InvalidArgumentError(f"JSON Value: {show(parsed)} not formatted correctly. 'signature_name' key must be a string value.")
    return parsed


def is_row_format(parsed: Mapping[str, Any]) -> bool:
    """True for `instances`, False for `inputs`. Raises InvalidArgumentError unless there is exactly one of them."""
    if "instances" in parsed and "inputs" in parsed:
        raise InvalidArgumentError(
            f"JSON Value: {show(parsed)} Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist"
        )
    if "instances" not in parsed and "inputs" not in parsed:
        raise InvalidArgumentError("Missing 'inputs' or 'instances' key")
    return "instances" in parsed


def read_inputs(parsed: Mapping[str, Any], signature: Signature) -> dict[str, np.ndarray]:
    """Arrays by input name. Raises ServingError; no signature without inputs can be called over REST."""
    if not signature.inputs:
        raise InvalidArgumentError(f"Failed to get input map for signature: {parsed.get('signature_name') or 'DEFAULT'}")
    return _read_rows(parsed, signature) if is_row_format(parsed) else _read_columns(parsed["inputs"], signature)


def write_outputs(outputs: Mapping[str, np.ndarray], row: bool) -> bytes:
    """The reply's body. Raises InvalidArgumentError where outputs have no common batch dimension to make rows of."""
    values = {name: _json_values(name, array) for name, array in outputs.items()}
    if not row:
        return dump({"outputs": _unnamed(values)})
    _check_batch(outputs)
    if len(values) == 1:
        return dump({"predictions": _unnamed(values)})
    return dump({"predictions": [dict(zip(values, entry, strict=True)) for entry in zip(*values.values(), strict=True)]})


def _only_input(signature: Signature, problem: str) -> str:
    if len(signature.inputs) != 1:
        raise InvalidArgumentError(f"{problem} as multiple input tensors required as per tensorinfo_map")
    return next(iter(signature.inputs))


def is_base64(value: Any) -> bool:
    """Whether a JSON value is `{"b64": "..."}`."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def _is_named(value: Any) -> bool:
    """An object of named inputs, as opposed to `{"b64": ...}`, which is a string."""
    return isinstance(value, dict) and not is_base64(value)


def _read_columns(inputs: Any, signature: Signature) -> dict[str, np.ndarray]:
    if not _is_named(inputs):
        name = _only_input(signature, "inputs is a plain value/list, but expecting an object")
        return {name: _array(inputs, signature.inputs[name].dtype)}
    for name in signature.inputs:
        if name not in inputs:
            raise InvalidArgumentError(f"Missing named input: {name} in 'inputs' object.")
    return {name: _array(inputs[name], info.dtype) for name, info in signature.inputs.items()}


def _read_rows(parsed: Mapping[str, Any], signature: Signature) -> dict[str, np.ndarray]:
    instances = parsed["instances"]
    if not isinstance(instances, list):
        raise InvalidArgumentError(f"JSON Value: {show(parsed)} Excepting 'instances' to be an list/array")
    if not instances:
        raise InvalidArgumentError(f"JSON Value: {show(parsed)} No values in 'instances' array")
    if not isinstance(instances[0], dict):
        _only_input(signature, "instances is a plain list, but expecting list of objects")
    try:
        return _read_regular_rows(instances, signature)
    except (ServingError, KeyError, TypeError, AttributeError):  # the quick way knows that something is wrong, but not what
        return _read_rows_one_by_one(instances, signature)


def _read_regular_rows(instances: list, signature: Signature) -> dict[str, np.ndarray]:
    """All rows at once. Raises one of several errors unless they are alike and right."""
    if not _is_named(instances[0]):
        (name,) = signature.inputs
        return {name: _array(instances, signature.inputs[name].dtype)}
    if not all(instance.keys() == signature.inputs.keys() for instance in instances):
        raise KeyError
    return {name: _array([instance[name] for instance in instances], info.dtype) for name, info in signature.inputs.items()}


def _read_rows_one_by_one(instances: list, signature: Signature) -> dict[str, np.ndarray]:
    """As TensorFlow Serving reads them, so that what is wrong is said of the first row that is."""
    named = _is_named(instances[0])
    columns: dict[str, list[np.ndarray]] = {}
    for position, instance in enumerate(instances):
        if _is_named(instance) != named:
            expected, got = ("object", "list") if named else ("value/list", "object")
            raise InvalidArgumentError(f"Expecting {expected} but got {got} at item {position} of input list")
        for name, value in instance.items() if named else [(next(iter(signature.inputs)), instance)]:
            try:
                _add_row(columns, name, value, signature)
            except ServingError as error:
                where = f"{position} key: {name}" if named else f"{position}"
                raise type(error)(f"Failed to process element: {where} of 'instances' list. Error: {error.code}: {error}") from error
        if named and instance.keys() != signature.inputs.keys():
            raise InvalidArgumentError(
                f"Failed to process element: {position} of 'instances' list. JSON object: {show(instance)} "
                f"keys must be equal to: {','.join(sorted(signature.inputs))}"
            )
    return {name: np.stack(rows) for name, rows in columns.items()}


def _add_row(columns: dict[str, list[np.ndarray]], name: str, value: Any, signature: Signature) -> None:
    if name not in signature.inputs:
        raise InvalidArgumentError(f"JSON object: does not have named input: {name}")
    array = _array(value, signature.inputs[name].dtype)
    rows = columns.setdefault(name, [])
    if rows and rows[0].size != array.size:
        raise InvalidArgumentError(f"Expecting tensor size: {rows[0].size} but got: {array.size}")
    if rows and rows[0].shape != array.shape:
        raise InvalidArgumentError(f"Expecting shape {_shape(rows[0])} but got: {_shape(array)}")
    rows.append(array)


def _shape(array: np.ndarray) -> str:
    return "[" + ",".join(map(str, array.shape)) + "]"


def _array(value: Any, dtype: int) -> np.ndarray:
    """The array of nested lists. Every list of a level must have the length of the first one, every value the JSON type of the dtype."""
    shape = _dense_shape(value)
    check_dimensions(len(shape))
    leaves = [value]
    for level, size in enumerate(shape):
        lengths = {len(item) if isinstance(item, list) else -1 for item in leaves}
        if lengths - {size}:
            _explain(value, 0, shape)
        leaves = list(itertools.chain.from_iterable(leaves)) if level < len(shape) else leaves
    if any(isinstance(leaf, list) for leaf in leaves):
        _explain(value, 0, shape)
    parts = [_leaves(leaves[start : start + _PIECE], dtype) for start in range(0, len(leaves) or 1, _PIECE)]
    return (np.concatenate(parts) if len(parts) > 1 else parts[0]).reshape(shape)


def _dense_shape(value: Any) -> tuple[int, ...]:
    """As the first value of every level has it."""
    shape: list[int] = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return tuple(shape)


def _explain(value: Any, level: int, shape: tuple[int, ...]) -> None:
    """Raises for the first place where nested lists do not have that shape."""
    if not isinstance(value, list):
        if level != len(shape):
            raise InvalidArgumentError(
                f"JSON Value: {show(value)} found at incorrect level: {level + 1} in the JSON DOM. Expected at level: {len(shape)}"
            )
        return
    if level >= len(shape):
        raise InvalidArgumentError(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise InvalidArgumentError(f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}")
    for item in value:
        _explain(item, level + 1, shape)


def _leaves(leaves: Sequence[Any], dtype: int) -> np.ndarray:
    if dtype == STRING:
        return strings([_bytes(leaf) for leaf in leaves])
    target = _JSON_DTYPES.get(dtype)
    if target is None:
        raise UnimplementedError(f"Conversion of JSON Value: {show(leaves[0] if leaves else None)} to type: {dtype_name(dtype)}")
    accepted = {"b": {bool}, "i": {int}, "u": {int}, "f": {int, float}}[target.kind]
    if not set(map(type, leaves)) <= accepted:
        raise _type_error(next(leaf for leaf in leaves if type(leaf) not in accepted), dtype)
    if target.kind in "iu" and leaves and not (np.iinfo(target).min <= min(leaves) and max(leaves) <= np.iinfo(target).max):
        raise _type_error(next(leaf for leaf in leaves if not np.iinfo(target).min <= leaf <= np.iinfo(target).max), dtype)
    return _decimals(leaves, target, dtype) if target.kind == "f" else np.array(leaves, target)


def _decimals(leaves: Sequence[float], target: np.dtype, dtype: int) -> np.ndarray:
    most, whole = np.finfo(target).max, 2 ** (np.finfo(target).nmant + 1) - 1
    for leaf in leaves:
        # whole numbers up to 64 bits must be exact; NaN compares as neither
        if (type(leaf) is int and whole < abs(leaf) < 2**64) or most < abs(leaf) < math.inf:
            raise InvalidArgumentError(f"Cannot convert JSON value: {show(leaf)} to {dtype_name(dtype)} without loss of precision.")
    return np.array(leaves, np.float64).astype(target)


def _bytes(leaf: Any) -> bytes:
    if isinstance(leaf, str):
        return leaf.encode("utf-8", "surrogatepass")
    if isinstance(leaf, dict):
        if _is_named(leaf):
            raise InvalidArgumentError(f"JSON Value: {show(leaf)} not formatted correctly for base64 data")
        return decode_base64(leaf["b64"])
    raise _type_error(leaf, STRING)


def decode_base64(text: str) -> bytes:
    """As absl::Base64Unescape: white space is skipped, padding may be left out or be dots, and there is no web-safe alphabet."""
    try:
        signs = text.encode("ascii").translate(None, b" \t\n\v\f\r")
        plain = signs.rstrip(b"=.")
        missing = -len(plain) % 4
        if len(signs) - len(plain) not in (0, missing):
            raise binascii.Error("Incorrect padding")
        return base64.b64decode(plain + b"=" * missing, validate=True)
    except ValueError as error:  # which binascii.Error is
        raise InvalidArgumentError("Unable to base64 decode") from error


def json_type(value: Any) -> str:
    """What TensorFlow Serving's messages call a JSON value's type."""
    if isinstance(value, bool):
        return str(value)
    return {type(None): "Null", int: "Number", float: "Number", str: "String", dict: "Object", list: "Array"}[type(value)]


def shortest(value: float) -> float:
    """A float32 as the float that prints in its shortest form: 0.1."""
    return float(str(np.float32(value)))


def _type_error(leaf: Any, dtype: int) -> InvalidArgumentError:
    return InvalidArgumentError(f"JSON Value: {show(leaf)} Type: {json_type(leaf)} is not of expected type: {dtype_name(dtype)}")


def _json_values(name: str, array: np.ndarray) -> Any:
    if array.dtype == object:
        as_base64 = name.endswith("_bytes")
        convert = _as_base64 if as_base64 else lambda value: value.decode("utf-8", "replace")
        return _nested([convert(value) for value in array.ravel()], array.shape)
    if array.dtype.kind == "f" and array.dtype != np.float64:  # the shortest text that reads back as the same float32: 0.1
        flat = array.ravel()
        parts = [flat[start : start + _PIECE].astype(str).astype(np.float64) for start in range(0, flat.size or 1, _PIECE)]
        array = np.concatenate(parts).reshape(array.shape)
    return array.tolist()


def _nested(values: list, shape: tuple[int, ...]) -> Any:
    array = np.empty(len(values), object)
    array[:] = values
    return array.reshape(shape).tolist()


def _as_base64(value: bytes) -> dict[str, str]:
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


def dump(value: Any) -> bytes:
    """JSON text; NaN and Infinity as such."""
    return _text(value).encode("utf-8", "replace")


def _text(value: Any) -> str:
    """`json.dumps` in pieces, between which other threads run: it holds the interpreter's lock as long as it takes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name, ensure_ascii=False)}: {_text(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list) and value and isinstance(value[0], list | dict):
        return "[" + ", ".join(map(_text, value)) + "]"
    if isinstance(value, list) and len(value) > _PIECE:
        parts = (value[start : start + _PIECE] for start in range(0, len(value), _PIECE))
        return "[" + ", ".join(json.dumps(part, ensure_ascii=False)[1:-1] for part in parts) + "]"
    return json.dumps(value, ensure_ascii=False)


def show(value: Any) -> str:
    """A value for an error message, cut where it is long."""
    text = ""
    for part in json.JSONEncoder(ensure_ascii=False).iterencode(value):
        text += part
        if len(text) > 200:
            return text[:200] + "..."
    return text


# Python's words for what is wrong with a text, and those of the parser that TensorFlow Serving has.
_PARSE_PROBLEMS = {
    "Expecting value": "Invalid value.",
    "Extra data": "The document root must not be followed by other values.",
    "Expecting property name enclosed in double quotes": "Missing a name for object member.",
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Expecting ',' delimiter": "Missing a comma or } after an object member, or a comma or ] after an array element.",
    "Unterminated string starting at": "Missing a closing quotation mark in string.",
}


def _parse_problem(body: bytes, error: Exception) -> str:
    if not body.strip():
        return "The document is empty"
    if isinstance(error, json.JSONDecodeError):
        return f"{_PARSE_PROBLEMS.get(error.msg, error.msg)} at offset: {error.pos}"
    if isinstance(error, UnicodeError):
        return "Invalid encoding in string."
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
