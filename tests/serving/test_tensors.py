"""TensorProto <-> NumPy, compared with what TensorFlow itself makes of it."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from serving import prediction_pb2
from serving.errors import InvalidArgumentError, UnimplementedError
from serving.tensors import read_tensor, write_tensor

DTYPES = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool"]


@pytest.mark.parametrize("typed", [True, False], ids=["typed", "bytes"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_tensorflow_reads_what_is_written_and_what_it_writes_is_read(dtype, typed):
    array = np.array([[0, 1, 2], [3, 4, 5]]).astype(dtype)
    proto = tensor_pb2.TensorProto()
    write_tensor(array, proto, typed=typed)
    assert bool(proto.tensor_content) is not typed
    for back in (tf.make_ndarray(proto), read_tensor(proto), read_tensor(tf.make_tensor_proto(array))):
        assert back.dtype == array.dtype
        np.testing.assert_array_equal(back, array)


def test_strings_keep_every_byte_trailing_nuls_too():
    array = np.array([b"a\0\0", b"", b"\xff"], object)
    proto = prediction_pb2.TensorProto()
    write_tensor(array, proto, typed=False)
    assert read_tensor(proto).tolist() == [b"a\0\0", b"", b"\xff"]


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
    with pytest.raises(InvalidArgumentError, match=r"Expected 8 bytes for float32\[2\]\. Received: 7\."):
        read_tensor(_proto(1, [2], tensor_content=b"1234567"))


def test_a_shape_that_is_unknown_or_absurd_is_refused():
    with pytest.raises(InvalidArgumentError, match="fully known shape"):
        read_tensor(_proto(1, [-1]))
    with pytest.raises(InvalidArgumentError, match="Received 1 values for a shape of"):
        read_tensor(_proto(1, [2**40], float_val=[1.0]))


def test_a_dtype_that_cannot_be_sent_is_named():
    with pytest.raises(UnimplementedError, match="DataType 99"):
        read_tensor(_proto(99, [1]))
    with pytest.raises(UnimplementedError, match="Received: complex64"):
        write_tensor(np.zeros(1, np.complex64), prediction_pb2.TensorProto(), typed=True)


def _proto(dtype, shape, **fields):
    proto = prediction_pb2.TensorProto(dtype=dtype, **fields)
    for size in shape:
        proto.tensor_shape.dim.add().size = size
    return proto
