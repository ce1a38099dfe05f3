"""TensorProto <-> NumPy, in both directions and both of its forms (typed fields, raw bytes), without TensorFlow.

Works on any TensorProto message (tensorflow's own or `serving.prediction_pb2`): the fields are the same.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from serving.errors import InvalidArgumentError, UnimplementedError

# tensorflow.DataType: number -> NumPy dtype name, typed field. Strings are object arrays of bytes.
_TYPES = {
    1: ("float32", "float_val"),
    2: ("float64", "double_val"),
    3: ("int32", "int_val"),
    4: ("uint8", "int_val"),
    5: ("int16", "int_val"),
    6: ("int8", "int_val"),
    7: ("object", "string_val"),
    9: ("int64", "int64_val"),
    10: ("bool", "bool_val"),
    17: ("uint16", "int_val"),
    19: ("float16", "half_val"),
    22: ("uint32", "uint32_val"),
    23: ("uint64", "uint64_val"),
}
_NUMBERS = {name: number for number, (name, _) in _TYPES.items()}
# As TensorFlow's own messages name them.
_TENSORFLOW_NAMES = {"float32": "float", "float64": "double", "object": "string", "float16": "half"}
STRING = 7


def dtype_name(number: int) -> str:
    """A tensorflow.DataType's number as TensorFlow's messages name it: 1 is `float`, 7 is `string`."""
    name = _TYPES[number][0] if number in _TYPES else f"DataType {number}"
    return _TENSORFLOW_NAMES.get(name, name)


def dtype_number(array: np.ndarray) -> int:
    """The tensorflow.DataType of an array; bytes (`S`), str (`U`) and object arrays are strings. Raises UnimplementedError."""
    name = "object" if array.dtype.kind in "OSU" else array.dtype.name
    if name not in _NUMBERS:
        raise UnimplementedError(f"Expected an array of one of {sorted(_NUMBERS)}. Received: {array.dtype.name}.")
    return _NUMBERS[name]


def numpy_dtype(number: int) -> np.dtype:
    """The NumPy dtype of a tensorflow.DataType's number. Raises UnimplementedError."""
    if number not in _TYPES:
        raise UnimplementedError(f"Tensors of DataType {number} are not supported.")
    return np.dtype(_TYPES[number][0])


def strings(values: Sequence[bytes]) -> np.ndarray:
    """A (N,) object array: unlike `np.array(values)` it keeps every byte, trailing NULs too."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


def write_tensor(array: np.ndarray, proto: Any, *, typed: bool) -> None:
    """Fills an empty TensorProto; `typed` chooses the typed fields (a server's replies), else raw bytes (shorter and quicker)."""
    proto.dtype = dtype_number(array)
    for size in array.shape:
        proto.tensor_shape.dim.add().size = size
    if proto.dtype == STRING:
        proto.string_val.extend(value.encode() if isinstance(value, str) else value for value in array.ravel().tolist())
    elif typed:
        flat = array.view(np.uint16) if array.dtype == np.float16 else array
        getattr(proto, _TYPES[proto.dtype][1]).extend(flat.ravel().tolist())
    else:
        proto.tensor_content = array.tobytes()


def read_tensor(proto: Any) -> np.ndarray:
    """The array of a TensorProto. Raises InvalidArgumentError (shape and bytes disagree) or UnimplementedError (dtype).

    Typed values shorter than the shape are filled up with the last one, none at all with zeros, as TensorFlow does.
    """
    dtype = numpy_dtype(proto.dtype)
    shape = _shape(proto)
    if proto.dtype != STRING and proto.tensor_content:
        return _read_content(proto.tensor_content, dtype, shape)
    field = _TYPES[proto.dtype][1]
    return _filled(_read_values(getattr(proto, field), field, dtype), math.prod(shape)).reshape(shape)


def _shape(proto: Any) -> tuple[int, ...]:
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise InvalidArgumentError("Expected a fully known shape.")
    return shape


def _read_content(content: bytes, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    expected = math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        raise InvalidArgumentError(f"Expected {expected} bytes for {dtype.name}{list(shape)}. Received: {len(content)}.")
    return np.frombuffer(content, dtype).reshape(shape)


def _read_values(values: Any, field: str, dtype: np.dtype) -> np.ndarray:
    if field == "string_val":
        return strings(list(values))
    if field == "half_val":
        return np.array(values, np.int32).astype(np.uint16).view(np.float16)
    if field == "int_val":  # int32 on the wire: a value outside the narrower dtype wraps, as in TensorFlow
        return np.array(values, np.int32).astype(dtype)
    return np.array(values, dtype)


def _filled(values: np.ndarray, size: int) -> np.ndarray:
    """`values` at exactly `size` elements: cut, or filled up with the last one. A huge shape with few values is refused."""
    if len(values) >= size:
        return values[:size]
    if size > 2**28:
        raise InvalidArgumentError(f"Received {len(values)} values for a shape of {size} elements.")
    if len(values) == 0:
        return np.full(size, b"" if values.dtype == object else 0, values.dtype)
    return np.concatenate([values, np.full(size - len(values), values[-1], values.dtype)])
