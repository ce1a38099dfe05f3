"""TensorProto <-> NumPy, in both directions and both of its forms (typed fields, raw bytes), without TensorFlow.

Works on any TensorProto message (tensorflow's own or `serving.prediction_pb2`): the fields are the same. What is read is what
TensorFlow's `Tensor::FromProto` makes of it, what is written is what `Tensor::AsProtoField` or `AsProtoTensorContent` writes.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from serving.errors import InvalidArgumentError, UnimplementedError

try:
    import ml_dtypes
except ImportError:  # an application that only calls a server need not have it; then such numbers are given as their bits
    ml_dtypes = None

STRING = 7
# NumPy 1 has no arrays of more dimensions, NumPy 2 has 64 and TensorFlow 254: the least of them, so that every machine says the same.
MOST_DIMENSIONS = 32
# Values that are not sent fill a shape with the last one that is, so that a request of a few bytes could ask for all of the memory.
# What is filled up may have a quarter of the bytes of the largest request, for who sends every value pays for them too. A string
# counts more than its bytes, because the graph's work is for each of them.
MOST_BYTES = 16 * 2**20
_MOST_FILLED_BYTES = MOST_BYTES // 4
_LEAST_STRING_BYTES = 256
_PIECE = 64 * 1024  # values that are converted without letting other threads run
_FEW = 16  # values, up to which a loop is quicker than finding them in the serialized message
_TENSOR_CONTENT_TAG = 4 << 3 | 2


class _Type(NamedTuple):
    """A tensorflow.DataType: its name in TensorFlow's messages, its NumPy dtype, the typed field and that field's number.

    `packed`: the field's bytes on the wire are those of the array in memory.
    """

    number: int
    name: str
    dtype: np.dtype
    field: str
    field_number: int
    packed: bool = False


def _small(name: str, bits: str) -> np.dtype:
    """A dtype that NumPy itself does not have."""
    return np.dtype(getattr(ml_dtypes, name, bits))


def _quantized(name: str, dtype: str) -> np.dtype:
    """As TensorFlow's Python has it: the integer, under a name."""
    return np.dtype([(name, dtype)])


# Strings are object arrays of bytes. Resource handles and variants (20, 21) are not data.
_TYPES = [
    _Type(1, "float", np.dtype("float32"), "float_val", 5, packed=True),
    _Type(2, "double", np.dtype("float64"), "double_val", 6, packed=True),
    _Type(3, "int32", np.dtype("int32"), "int_val", 7),
    _Type(4, "uint8", np.dtype("uint8"), "int_val", 7),
    _Type(5, "int16", np.dtype("int16"), "int_val", 7),
    _Type(6, "int8", np.dtype("int8"), "int_val", 7),
    _Type(STRING, "string", np.dtype("object"), "string_val", 8),
    _Type(8, "complex64", np.dtype("complex64"), "scomplex_val", 9, packed=True),
    _Type(9, "int64", np.dtype("int64"), "int64_val", 10),
    _Type(10, "bool", np.dtype("bool"), "bool_val", 11, packed=True),
    _Type(11, "qint8", _quantized("qint8", "int8"), "int_val", 7),
    _Type(12, "quint8", _quantized("quint8", "uint8"), "int_val", 7),
    _Type(13, "qint32", _quantized("qint32", "int32"), "int_val", 7),
    _Type(14, "bfloat16", _small("bfloat16", "uint16"), "half_val", 13),
    _Type(15, "qint16", _quantized("qint16", "int16"), "int_val", 7),
    _Type(16, "quint16", _quantized("quint16", "uint16"), "int_val", 7),
    _Type(17, "uint16", np.dtype("uint16"), "int_val", 7),
    _Type(18, "complex128", np.dtype("complex128"), "dcomplex_val", 12, packed=True),
    _Type(19, "half", np.dtype("float16"), "half_val", 13),
    _Type(22, "uint32", np.dtype("uint32"), "uint32_val", 16),
    _Type(23, "uint64", np.dtype("uint64"), "uint64_val", 17),
    _Type(24, "float8_e5m2", _small("float8_e5m2", "uint8"), "float8_val", 18, packed=True),
    _Type(25, "float8_e4m3fn", _small("float8_e4m3fn", "uint8"), "float8_val", 18, packed=True),
    _Type(29, "int4", _small("int4", "int8"), "int_val", 7),
    _Type(30, "uint4", _small("uint4", "uint8"), "int_val", 7),
]
_BY_NUMBER = {type_.number: type_ for type_ in _TYPES}
# The first of a dtype: without ml_dtypes bits are sent as the integers they are.
_BY_DTYPE = {type_.dtype: type_ for type_ in sorted(_TYPES, key=lambda type_: type_.dtype.name != type_.name, reverse=True)}


def dtype_name(number: int) -> str:
    """A tensorflow.DataType's number as TensorFlow's messages name it: 1 is `float`, 7 is `string`."""
    return _BY_NUMBER[number].name if number in _BY_NUMBER else f"DataType {number}"


def dtype_number(array: np.ndarray) -> int:
    """The tensorflow.DataType of an array; bytes (`S`), str (`U`) and object arrays are strings. Raises UnimplementedError."""
    return _type_of(array).number


def numpy_dtype(number: int) -> np.dtype:
    """The NumPy dtype of a tensorflow.DataType's number. Raises UnimplementedError."""
    return _type(number).dtype


def strings(values: Sequence[bytes]) -> np.ndarray:
    """A (N,) object array: unlike `np.array(values)` it keeps every byte, trailing NULs too."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


def write_tensor(array: np.ndarray, proto: Any, *, typed: bool) -> None:
    """Fills an empty TensorProto; `typed` chooses the typed fields (a server's replies), else raw bytes (shorter and quicker).

    Strings are always typed. Raises UnimplementedError (dtype) or InvalidArgumentError (an object array of something else).
    """
    type_ = _type_of(array)
    if type_.number == STRING:
        proto.MergeFromString(_dtype_and_shape(STRING, array.shape))
        proto.string_val.extend(_bytes(value) for value in array.ravel().tolist())
        return
    if array.dtype != type_.dtype:  # the other byte order
        array = array.astype(type_.dtype)
    if not typed:
        proto.MergeFromString(_header(type_.number, array.shape, _TENSOR_CONTENT_TAG, array.nbytes) + array.tobytes())
    elif type_.packed:
        proto.MergeFromString(_header(type_.number, array.shape, type_.field_number << 3 | 2, array.nbytes) + array.tobytes())
    else:
        proto.MergeFromString(_dtype_and_shape(type_.number, array.shape))
        numbers = _integers(array, type_).ravel()
        for start in range(0, len(numbers), _PIECE):
            getattr(proto, type_.field).extend(numbers[start : start + _PIECE].tolist())


def read_tensor(proto: Any) -> np.ndarray:
    """The array of a TensorProto; it may be read-only. Raises InvalidArgumentError (shape and bytes) or UnimplementedError (dtype).

    Typed values shorter than the shape are filled up with the last one, none at all with zeros; what is too much is left out.
    """
    type_ = _type(proto.dtype)
    shape, size = _read_shape(proto.tensor_shape.dim)
    if size == 0:
        return _reshaped(np.empty(0, type_.dtype), shape)
    content = proto.tensor_content
    if content:
        return _reshaped(_read_content(content, type_, size), shape)
    return _reshaped(_filled(_read_values(proto, type_), size), shape)


def check_dimensions(count: int) -> None:
    """Raises InvalidArgumentError for a tensor of more than MOST_DIMENSIONS dimensions."""
    if count > MOST_DIMENSIONS:
        raise InvalidArgumentError(f"Expected a shape of at most {MOST_DIMENSIONS} dimensions. Received: {count}.")


def _read_shape(dims: Sequence[Any]) -> tuple[tuple[int, ...], int]:
    """The shape, and how many elements it has. Their number is looked at before their sizes, and those before they are multiplied."""
    check_dimensions(len(dims))
    shape = tuple([dim.size for dim in dims])
    size = math.prod(shape)
    if (shape and min(shape) < 0) or size >= 2**63:
        raise InvalidArgumentError(f"Expected a shape of known sizes. Received: {list(shape)}.")
    return shape, size


def _type(number: int) -> _Type:
    if number not in _BY_NUMBER:
        raise UnimplementedError(f"Tensors of DataType {number} are not supported.")
    return _BY_NUMBER[number]


def _type_of(array: np.ndarray) -> _Type:
    type_ = _BY_DTYPE.get(array.dtype)
    if type_ is not None:
        return type_
    if array.dtype.kind in "SU":
        return _BY_NUMBER[STRING]
    native = array.dtype.newbyteorder("=")
    if native not in _BY_DTYPE:
        raise UnimplementedError(f"Expected an array of one of {sorted(map(str, _BY_DTYPE))}. Received: {array.dtype}.")
    return _BY_DTYPE[native]


@functools.lru_cache(maxsize=1024)
def _dtype_and_shape(number: int, shape: tuple[int, ...]) -> bytes:
    """A serialized TensorProto without values."""
    dims = b"".join(_field(2, b"\x08" + _varint(size) if size else b"") for size in shape)
    return b"\x08" + _varint(number) + _field(2, dims)


@functools.lru_cache(maxsize=1024)
def _header(number: int, shape: tuple[int, ...], tag: int, size: int) -> bytes:
    """A serialized TensorProto up to the bytes of its values; of no values there is no field."""
    head = _dtype_and_shape(number, shape)
    return head + _values_head(tag, size) if size else head


def _values_head(tag: int, size: int) -> bytes:
    return _varint(tag) + _varint(size)


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise InvalidArgumentError(f"Expected bytes or str in an object array. Received: {type(value).__name__}.")
    return value.encode()


def _integers(array: np.ndarray, type_: _Type) -> np.ndarray:
    """The numbers that stand in the typed field: the bits of a half, the integer of a quantized value."""
    if type_.field == "half_val":
        return array.view(np.uint16)
    if type_.dtype.names:
        return array[type_.dtype.names[0]]
    return array


def _read_content(content: bytes, type_: _Type, size: int) -> np.ndarray:
    if type_.number == STRING:
        return _split(content, size)
    expected = size * type_.dtype.itemsize
    if len(content) != expected:
        raise InvalidArgumentError(f"Expected {expected} bytes for {size} values of {type_.name}. Received: {len(content)}.")
    if type_.name == "bool" and max(content) > 1:
        raise InvalidArgumentError("Expected bytes 0 and 1 for bool.")
    return np.frombuffer(content, type_.dtype)


def _split(content: bytes, count: int) -> np.ndarray:
    """Strings as TensorFlow packs them: all lengths as varints, then all bytes."""
    if count > len(content):
        raise InvalidArgumentError(f"Expected {count} strings. Received: {len(content)} bytes.")
    lengths, position = [], 0
    for _ in range(count):
        length, position = _read_varint(content, position)
        lengths.append(length)
    if position + sum(lengths) != len(content):
        raise InvalidArgumentError(f"Expected {sum(lengths)} bytes of strings. Received: {len(content) - position}.")
    values = []
    for length in lengths:
        values.append(content[position : position + length])
        position += length
    return strings(values)


def _read_varint(content: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(content) and shift < 35:
        byte = content[position]
        value |= (byte & 127) << shift
        position += 1
        shift += 7
        if byte < 128:
            return value, position
    raise InvalidArgumentError("Expected the lengths of strings. Received: bytes that end before.")


def _read_values(proto: Any, type_: _Type) -> np.ndarray:
    values = getattr(proto, type_.field)
    if type_.field == "float8_val":
        return np.frombuffer(values, type_.dtype)
    if type_.packed:
        return _read_packed(proto, values, type_)
    if type_.number == STRING:
        array = np.empty(len(values), object)
        for start in range(0, len(values), _PIECE):
            array[start : start + _PIECE] = values[start : start + _PIECE]
        return array
    if type_.field == "half_val":
        return np.fromiter(values, np.int32, len(values)).astype(np.uint16).view(type_.dtype)
    if type_.field == "int_val":  # int32 on the wire: a value outside the narrower dtype wraps, as in TensorFlow
        return _narrowed(np.fromiter(values, np.int32, len(values)), type_.dtype)
    return np.fromiter(values, type_.dtype, len(values))


def _read_packed(proto: Any, values: Any, type_: _Type) -> np.ndarray:
    """Many values are the last bytes of the serialized message, and a hundred times quicker to get there than one by one."""
    part = np.dtype(type_.dtype.type(0).real.dtype)  # a complex number is two values
    count = len(values)
    if count > _FEW:
        wire, size = proto.SerializeToString(), count * part.itemsize
        start = len(wire) - size
        if wire[:start].endswith(_values_head(type_.field_number << 3 | 2, size)):
            return np.frombuffer(wire, type_.dtype, size // type_.dtype.itemsize, start)
    parts = np.fromiter(values, part, count)
    return parts if part == type_.dtype else parts[: count // 2 * 2].view(type_.dtype)


def _narrowed(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if dtype.names:
        return values.astype(dtype[0]).view(dtype)
    return values.astype(dtype, copy=False)


def _filled(values: np.ndarray, size: int) -> np.ndarray:
    """`values` at exactly `size` elements: cut, or filled up with the last one."""
    count = len(values)
    if count >= size:
        return values if count == size else values[:size]
    each = _LEAST_STRING_BYTES + (len(values[-1]) if count else 0) if values.dtype == object else values.itemsize
    if size * each > _MOST_FILLED_BYTES:
        raise InvalidArgumentError(
            f"Received {count} values for a shape of {size} elements. "
            f"Expected every value, where filling up takes over {_MOST_FILLED_BYTES} bytes."
        )
    filled = np.zeros(size, values.dtype)
    filled[:count] = values
    if count:
        filled[count:] = values[-1:]
    elif values.dtype == object:
        filled[:] = b""
    return filled


def _reshaped(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    try:
        return values.reshape(shape)
    except ValueError as error:  # too large sizes beside a zero
        raise InvalidArgumentError(f"Expected a shape that fits into memory. Received: {list(shape)}.") from error
