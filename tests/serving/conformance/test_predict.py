"""Predict over gRPC: what is resolved, and how tensors come in and go out.

What TensorFlow makes of an odd TensorProto was measured on a Const node that holds it.
"""

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.framework import tensor_pb2

from tests.serving.conformance.models import ECHOED
from tests.serving.conformance.target import example, predict_request

_INTEGERS = {"int8", "int16", "int32", "uint8", "uint16"}
_TYPED_FIELDS = {"float32": "float_val", "float64": "double_val", "int64": "int64_val", "uint32": "uint32_val", "uint64": "uint64_val"} | {
    "bool": "bool_val",
    "string": "string_val",
    "float16": "half_val",
    "bfloat16": "half_val",
    "complex64": "scomplex_val",
    "complex128": "dcomplex_val",
}
_NAMES = [dtype.name for dtype in ECHOED]


def _proto(text):
    return text_format.Parse(text, tensor_pb2.TensorProto())


def _values(dtype):
    if dtype == tf.string:
        return np.array([[b"", b"\x00\xff", "é".encode()], [b"a", b"bc", b"def"]], object)
    if dtype.is_complex:
        return np.array([[1 + 2j, 0, -1j], [3, 4, 5]], dtype.as_numpy_dtype)
    return np.array([[0, 1, 1], [1, 0, 100]]).astype(dtype.as_numpy_dtype)


def _echo(target, proto, signature):
    return target.predict(predict_request("echo", {"x": proto}, signature=signature)).outputs["y"]


def test_the_reply_carries_name_version_and_the_resolved_signature(target):
    response = target.predict(predict_request("half_plus_two", {"x": np.float32([1, 2])}))
    assert (response.model_spec.name, response.model_spec.version.value) == ("half_plus_two", 123)
    assert response.model_spec.signature_name == "serving_default"
    assert list(response.outputs) == ["y"]
    assert list(response.outputs["y"].float_val) == [2.5, 3.0]


@pytest.mark.parametrize("spec", [{"version": 123}, {"signature": "serving_default"}], ids=["version", "signature"])
def test_what_is_the_default_may_be_said(target, spec):
    response = target.predict(predict_request("half_plus_two", {"x": np.float32([4])}, **spec))
    assert list(response.outputs["y"].float_val) == [4.0]


def test_a_signature_other_than_the_default_is_named_in_the_reply(target):
    response = target.predict(predict_request("shapes", {"matrix": np.float32([[1, 2]])}, signature="matmul"))
    assert response.model_spec.signature_name == "matmul"


@pytest.mark.parametrize("dtype", ECHOED, ids=_NAMES)
def test_replies_use_the_typed_field_at_full_length(target, dtype):
    sent = _values(dtype)
    received = _echo(target, tf.make_tensor_proto(sent, dtype), dtype.name)
    field = "int_val" if dtype.name in _INTEGERS else _TYPED_FIELDS[dtype.name]
    assert received.tensor_content == b""
    assert len(getattr(received, field)) == 6 * (2 if dtype.is_complex else 1)
    assert [dim.size for dim in received.tensor_shape.dim] == [2, 3]
    assert received.dtype == dtype.as_datatype_enum
    np.testing.assert_array_equal(tf.make_ndarray(received), sent)


@pytest.mark.parametrize("dtype", [dtype for dtype in ECHOED if dtype != tf.string], ids=[name for name in _NAMES if name != "string"])
def test_requests_may_use_tensor_content(target, dtype):
    sent = _values(dtype)
    proto = tensor_pb2.TensorProto(dtype=dtype.as_datatype_enum, tensor_content=sent.tobytes())
    proto.tensor_shape.CopyFrom(tf.TensorShape(sent.shape).as_proto())
    np.testing.assert_array_equal(tf.make_ndarray(_echo(target, proto, dtype.name)), sent)


def test_equal_values_come_back_at_full_length(target):
    received = _echo(target, tf.make_tensor_proto(np.full([100], 7, np.float32)), "float32")
    assert list(received.float_val) == [7.0] * 100


@pytest.mark.parametrize(
    ("signature", "proto", "expected"),
    [
        pytest.param("float32", "dtype: DT_FLOAT {} float_val: 5", [5, 5, 5], id="one value fills the shape"),
        pytest.param("string", 'dtype: DT_STRING {} string_val: "a"', [b"a"] * 3, id="one string fills the shape"),
        pytest.param("bool", "dtype: DT_BOOL {} bool_val: true", [True] * 3, id="one bool fills the shape"),
        pytest.param("int64", "dtype: DT_INT64 {} int64_val: -1", [-1] * 3, id="one int64 fills the shape"),
        pytest.param("float16", "dtype: DT_HALF {} half_val: 15360", [1, 1, 1], id="one half fills the shape"),
        pytest.param("float32", "dtype: DT_FLOAT {} float_val: [1, 2]", [1, 2, 2], id="the last value fills the rest"),
        pytest.param("float32", "dtype: DT_FLOAT {} float_val: [1, 2, 3, 4]", [1, 2, 3], id="values too many are left out"),
        pytest.param("float32", "dtype: DT_FLOAT {}", [0, 0, 0], id="no value is zeros"),
        pytest.param("string", "dtype: DT_STRING {}", [b"", b"", b""], id="no string is empty strings"),
        pytest.param("float32", "dtype: DT_FLOAT {} int_val: 5", [0, 0, 0], id="another type's field is not read"),
        pytest.param("string", r'dtype: DT_STRING {} tensor_content: "\001\001\002abcc"', [b"a", b"b", b"cc"], id="strings as content"),
    ],
)
def test_typed_fields_are_read_as_tensorflow_reads_them(target, signature, proto, expected):
    received = _echo(target, _proto(proto.format("tensor_shape { dim { size: 3 } }")), signature)
    assert tf.make_ndarray(received).tolist() == expected


def test_scalars_work(target):
    received = _echo(target, _proto("dtype: DT_FLOAT tensor_shape {} float_val: 5"), "float32")
    assert (list(received.tensor_shape.dim), list(received.float_val)) == ([], [5.0])


def test_nan_and_infinity_pass(target):
    received = _echo(target, tf.make_tensor_proto(np.float32([np.nan, np.inf, -np.inf])), "float32")
    np.testing.assert_array_equal(tf.make_ndarray(received), np.float32([np.nan, np.inf, -np.inf]))


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)], ids=str)
def test_empty_batches_work(target, shape):
    received = _echo(target, tf.make_tensor_proto(np.zeros(shape, np.float32)), "float32")
    assert tuple(dim.size for dim in received.tensor_shape.dim) == shape
    assert list(received.float_val) == []


def test_an_empty_batch_goes_through_a_model(target):
    response = target.predict(predict_request("half_plus_two", {"x": np.zeros([0, 1], np.float32)}))
    assert [dim.size for dim in response.outputs["y"].tensor_shape.dim] == [0, 1]


def test_messages_may_be_large_both_ways(target):
    sent = np.arange(3_000_000, dtype=np.float32)
    received = _echo(target, tf.make_tensor_proto(sent), "float32")
    assert len(received.float_val) == len(sent)
    assert received.float_val[-1] == sent[-1]


def test_all_outputs_come_unless_filtered(target):
    inputs = {"a": np.float32([5, 6]), "b": np.float32([1, 2])}
    response = target.predict(predict_request("shapes", inputs))
    assert {name: list(tensor.float_val) for name, tensor in response.outputs.items()} == {"sum": [6, 8], "difference": [4, 4]}
    response = target.predict(predict_request("shapes", inputs, ["difference"]))
    assert list(response.outputs) == ["difference"]


def test_declared_shapes_are_not_enforced_before_the_graph(target):
    response = target.predict(predict_request("shapes", {"x": np.ones([2, 5], np.float32)}, signature="declared"))
    assert [dim.size for dim in response.outputs["doubled"].tensor_shape.dim] == [2, 5]


def test_tables_and_assets_are_initialised(target):
    response = target.predict(predict_request("tables", {"words": np.array([b"bee", b"ant", b"dog"], object)}))
    assert list(response.outputs["numbers"].int64_val) == [1, 0, -1]


def test_a_signature_may_take_serialized_examples(target):
    serialized = [example(x=1.0).SerializeToString(), example(x=2.0).SerializeToString()]
    response = target.predict(predict_request("module", {"examples": serialized}))
    assert list(response.outputs["scaled"].float_val) == [3.0, 6.0]


def test_models_of_tensorflow_2_load_with_their_variables(target):
    response = target.predict(predict_request("module", {"x": np.float32([1, 2])}, signature="scale"))
    assert list(response.outputs["scaled"].float_val) == [3.0, 6.0]


def test_a_model_with_a_warmup_file_loads(target):
    assert target.version("warm") == 1


def test_a_signature_without_inputs_is_asked_with_none(target):
    response = target.predict(predict_request("shapes", signature="no_inputs"))
    assert list(response.outputs["answer"].float_val) == [42.0]


@pytest.mark.parametrize(
    ("sent", "values"),
    [({}, [3.0, 6.0]), ({"times": np.float32(5)}, [5.0, 10.0]), ({"plus": np.float32([1])}, [4.0, 7.0])],
    ids=["both left out", "one sent", "the other sent"],
)
def test_an_input_that_has_a_default_may_be_left_out(target, sent, values):
    response = target.predict(predict_request("defaults", {"x": np.float32([1, 2]), **sent}))
    assert list(response.outputs["y"].float_val) == values
