"""TensorProto <-> NumPy, compared with what TensorFlow itself makes of it."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from serving import prediction_pb2
from serving.errors import InvalidArgumentError, UnimplementedError
from serving.tensors import dtype_name, numpy_dtype, read_tensor, write_tensor

NUMBERS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 22, 23, 24, 25, 29, 30]
_PACKED = (29, 30)  # int4 and uint4: versions of TensorFlow disagree about their upper bits
SHAPES = [(), (0,), (1,), (3,), (2, 3), (2, 0, 4), (200,), (3, 40, 2)]
QUANTIZED = (11, 12, 13, 15, 16)


def _array(number, shape, seed=0):
    """Any bits of that dtype but NaNs, which do not compare equal."""
    rng = np.random.default_rng(seed)
    size = int(np.prod(shape))
    if number == 7:
        array = np.empty(size, object)
        array[:] = [rng.bytes(rng.integers(0, 5)) + b"\0" for _ in range(size)]
        return array.reshape(shape)
    dtype = numpy_dtype(number)
    if dtype.kind in "iub":
        low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        return rng.integers(low, high, size, dtype, endpoint=True).reshape(shape)
    if dtype.names:
        return rng.integers(-100, 100, size).astype(dtype[0]).view(dtype).reshape(shape)
    values = rng.normal(size=size) + (1j * rng.normal(size=size) if dtype.kind == "c" else 0)
    return (values * (2 if number in (29, 30) else 1)).astype(dtype).reshape(shape)


def _as_tensorflow_reads(proto):
    """What the server's own reader in TensorFlow gives, or None where it refuses."""
    try:
        return tf.io.parse_tensor(proto.SerializeToString(), tf.as_dtype(proto.dtype))
    except tf.errors.InvalidArgumentError:
        return None


def _assert_same(array, tensor):
    expected = np.asarray(tensor.numpy(), object if array.dtype == object else None)
    assert array.shape == expected.shape
    if array.dtype == object:
        assert array.ravel().tolist() == np.array(expected, object).ravel().tolist()
    else:
        assert np.ascontiguousarray(array).tobytes() == np.ascontiguousarray(expected).tobytes()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("typed", [True, False], ids=["typed", "bytes"])
@pytest.mark.parametrize("number", [number for number in NUMBERS if number not in _PACKED], ids=dtype_name)
def test_tensorflow_reads_what_is_written_and_it_is_read_back(number, typed, shape):
    array = _array(number, shape)
    proto = tensor_pb2.TensorProto()
    write_tensor(array, proto, typed=typed)
    assert proto.dtype == number
    assert proto.HasField("tensor_shape")
    assert not (typed and proto.tensor_content)
    back = read_tensor(proto)
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    _assert_same(back, _as_tensorflow_reads(proto))
    assert back.tobytes() == array.tobytes() if number != 7 else back.tolist() == array.tolist()


@pytest.mark.parametrize(
    "number", [number for number in NUMBERS if number not in (*QUANTIZED, 8, 10, 17, 18, 24, 25, *_PACKED)], ids=dtype_name
)
@pytest.mark.parametrize("shape", [(), (1,), (2, 3)], ids=str)
def test_bytes_are_those_of_make_tensor_proto(number, shape):
    """Which takes typed fields for scalars and strings, and bytes for most of the rest; the others differ in form, not in value."""
    array = _array(number, shape)
    expected = tf.make_tensor_proto(array, tf.as_dtype(number), shape)
    proto = tensor_pb2.TensorProto()
    write_tensor(array, proto, typed=array.size == 1)
    assert proto.SerializeToString(deterministic=True) == expected.SerializeToString(deterministic=True)


@pytest.mark.parametrize("number", NUMBERS, ids=dtype_name)
def test_a_reply_has_every_value_in_the_typed_field(number):
    """Also where all are the same, which would fit into one."""
    array = np.zeros(40, numpy_dtype(number))
    if number == 7:
        array[:] = b"same"
    proto = tensor_pb2.TensorProto()
    write_tensor(array, proto, typed=True)
    (field, values) = next((field.name, values) for field, values in proto.ListFields() if field.name.endswith("_val"))
    assert len(values) == (80 if "complex" in field else 40)


def test_strings_keep_every_byte_trailing_nuls_too():
    array = np.array([b"a\0\0", b"", b"\xff"], object)
    proto = prediction_pb2.TensorProto()
    write_tensor(array, proto, typed=False)
    assert read_tensor(proto).tolist() == [b"a\0\0", b"", b"\xff"]
    assert read_tensor(_proto(7, [3], string_val=[b"a\0"])).tolist() == [b"a\0"] * 3


def test_text_is_sent_as_utf_8_and_anything_else_in_an_object_array_is_refused():
    proto = prediction_pb2.TensorProto()
    write_tensor(np.array(["é", "b"]), proto, typed=True)
    assert list(proto.string_val) == ["é".encode(), b"b"]
    with pytest.raises(InvalidArgumentError, match=r"^Expected bytes or str in an object array\. Received: int\.$"):
        write_tensor(np.array([1, b"a"], object), prediction_pb2.TensorProto(), typed=True)


@pytest.mark.parametrize("typed", [True, False], ids=["typed", "bytes"])
def test_an_array_in_another_byte_order_or_with_gaps_is_sent_as_its_numbers(typed):
    for array in (np.arange(20, dtype=">f4"), np.arange(40, dtype=np.float32)[::2], np.arange(20, dtype=np.float32).reshape(4, 5).T):
        proto = prediction_pb2.TensorProto()
        write_tensor(array, proto, typed=typed)
        np.testing.assert_array_equal(read_tensor(proto), array)


def test_one_value_fills_a_larger_shape_and_the_last_one_the_rest():
    proto = tf.make_tensor_proto(1.5, shape=[2, 3])
    assert len(proto.float_val) == 1
    assert read_tensor(proto).tolist() == [[1.5] * 3] * 2
    proto.float_val.append(2.5)
    assert read_tensor(proto).ravel().tolist() == [1.5, 2.5, 2.5, 2.5, 2.5, 2.5]


def test_no_values_are_zeros_and_an_empty_shape_is_empty():
    assert read_tensor(_proto(1, [2])).tolist() == [0.0, 0.0]
    assert read_tensor(_proto(7, [1])).tolist() == [b""]
    assert read_tensor(_proto(4, [0, 28])).shape == (0, 28)


def test_bytes_that_do_not_fit_the_shape_are_refused():
    with pytest.raises(InvalidArgumentError, match=r"Expected 8 bytes for 2 values of float\. Received: 7\."):
        read_tensor(_proto(1, [2], tensor_content=b"1234567"))


def test_a_shape_that_is_unknown_or_absurd_is_refused():
    with pytest.raises(InvalidArgumentError, match=r"Expected a shape of known sizes\. Received: \[-1\]\."):
        read_tensor(_proto(1, [-1]))
    with pytest.raises(InvalidArgumentError, match="Expected a shape of known sizes"):
        read_tensor(_proto(1, [2**62] * 3, float_val=[1.0]))
    with pytest.raises(InvalidArgumentError, match="Received 1 values for a shape of"):
        read_tensor(_proto(1, [2**40], float_val=[1.0]))
    with pytest.raises(InvalidArgumentError, match="Expected a shape that fits into memory"):
        read_tensor(_proto(1, [0, 2**62, 2**62]))


def test_a_shape_has_at_most_32_dimensions_whatever_numpy_there_is():
    assert read_tensor(_proto(1, [1] * 32, float_val=[1.0])).ndim == 32
    for count in (33, 500_000):
        with pytest.raises(InvalidArgumentError, match=rf"^Expected a shape of at most 32 dimensions\. Received: {count}\.$"):
            read_tensor(_proto(1, [2**62] * count, float_val=[1.0]))


@pytest.mark.parametrize(
    ("dtype", "most", "values"),
    [(1, 2**20, {"float_val": [1.0]}), (4, 2**22, {"int_val": [1]}), (9, 2**19, {}), (7, 2**13, {"string_val": [b"a" * 256]})],
    ids=["float", "uint8", "int64 of zeros", "string"],
)
def test_what_is_filled_up_takes_4_mebibytes_at_most(dtype, most, values):
    assert read_tensor(_proto(dtype, [1, 1, most, 1], **values)).size == most
    with pytest.raises(InvalidArgumentError, match=f"values for a shape of {most + 1} elements"):
        read_tensor(_proto(dtype, [1, 1, most + 1, 1], **values))


def test_a_dtype_that_cannot_be_sent_is_named():
    for number in (0, 20, 99, 101):
        with pytest.raises(UnimplementedError, match=f"DataType {number} "):
            read_tensor(_proto(number, [1]))
    with pytest.raises(UnimplementedError, match=r"Received: datetime64"):
        write_tensor(np.zeros(1, "datetime64[s]"), prediction_pb2.TensorProto(), typed=True)


def test_without_ml_dtypes_small_floats_are_their_bits_and_integers_stay_integers():
    code = (
        "import sys; sys.modules['ml_dtypes'] = None\n"
        "import numpy as np\n"
        "from serving import prediction_pb2 as pb; from serving.tensors import read_tensor, write_tensor\n"
        "print(read_tensor(pb.TensorProto(dtype=14, half_val=[16256])))\n"
        "for dtype in 'uint16', 'uint8', 'int8':\n"
        "    proto = pb.TensorProto(); write_tensor(np.ones(1, dtype), proto, typed=False); print(proto.dtype)\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["16256", "17", "4", "6"]


def _proto(dtype, shape, **fields):
    proto = prediction_pb2.TensorProto(dtype=dtype, **fields)
    for size in shape:
        proto.tensor_shape.dim.add().size = size
    return proto
