"""What Predict refuses over gRPC, with which code and in which words."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)

from tests.serving.conformance.target import TIMEOUT, fill, predict_request, refused

_X = {"x": np.float32([1])}
_SHAPE = "tensor_shape { dim { size: 3 } }"


def _refused(target, *arguments, **spec):
    return refused(target.predict, predict_request(*arguments, **spec))


@pytest.mark.parametrize(
    ("spec", "request_"),
    [({}, "Latest(nobody)"), ({"version": 3}, "Specific(nobody, 3)"), ({"signature": "nothing"}, "Latest(nobody)")],
    ids=["latest", "specific", "the model is looked up before the signature"],
)
def test_an_unknown_model_is_not_found(target, spec, request_):
    assert _refused(target, "nobody", _X, **spec) == ("NOT_FOUND", f"Servable not found for request: {request_}")


@pytest.mark.parametrize("version", [122, 0, -1, 2**63 - 1])
def test_a_version_that_is_not_served_is_not_found(target, version):
    expected = ("NOT_FOUND", f"Servable not found for request: Specific(half_plus_two, {version})")
    assert _refused(target, "half_plus_two", _X, version=version) == expected


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("predict", predict_pb2.PredictRequest()),
        ("classify", classification_pb2.ClassificationRequest()),
        ("regress", regression_pb2.RegressionRequest()),
        ("metadata", get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])),
        ("model_status", get_model_status_pb2.GetModelStatusRequest()),
    ],
    ids=["Predict", "Classify", "Regress", "GetModelMetadata", "GetModelStatus"],
)
def test_the_model_spec_must_be_there(target, method, request_):
    assert refused(getattr(target, method), request_) == ("INVALID_ARGUMENT", "Missing ModelSpec")


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("predict", predict_pb2.PredictRequest()),
        ("classify", classification_pb2.ClassificationRequest()),
        ("regress", regression_pb2.RegressionRequest()),
        ("metadata", get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])),
    ],
    ids=["Predict", "Classify", "Regress", "GetModelMetadata"],
)
def test_the_model_spec_must_have_a_name(target, method, request_):
    expected = ("INVALID_ARGUMENT", "ModelSpec has no name specified.")
    assert refused(getattr(target, method), fill(request_, "", signature="serving_default")) == expected


def test_multi_inference_without_a_model_spec_has_no_name(target):
    for request in (inference_pb2.MultiInferenceRequest(), inference_pb2.MultiInferenceRequest(tasks=[inference_pb2.InferenceTask()])):
        assert refused(target.multi_inference, request) == ("INVALID_ARGUMENT", "ModelSpec has no name specified.")


def test_an_unknown_signature_is_a_failed_precondition(target):
    expected = ("FAILED_PRECONDITION", 'Serving signature key "nothing" not found.')
    assert _refused(target, "half_plus_two", _X, signature="nothing") == expected
    assert _refused(target, "half_plus_two", {}, signature="nothing") == expected


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        pytest.param([], "0!=1 len({}) != len({x}). Sent extra: {}. Missing but required: {x}.", id="none"),
        pytest.param(["x", "b", "a"], "3!=1 len({a,b,x}) != len({x}). Sent extra: {a,b}. Missing but required: {}.", id="extra"),
        pytest.param(["b", "a"], "2!=1 len({a,b}) != len({x}). Sent extra: {a,b}. Missing but required: {x}.", id="others"),
    ],
)
def test_a_wrong_number_of_inputs_is_told(target, sent, message):
    inputs = {name: np.float32([1]) for name in sent}
    assert _refused(target, "half_plus_two", inputs) == ("INVALID_ARGUMENT", f"input size does not match signature: {message}")


def test_a_missing_input_of_two_is_told(target):
    message = "input size does not match signature: 1!=2 len({a}) != len({a,b}). Sent extra: {}. Missing but required: {b}."
    assert _refused(target, "shapes", {"a": np.float32([1])}) == ("INVALID_ARGUMENT", message)


def test_a_misnamed_input_is_told(target):
    message = "input tensor alias not found in signature: z. Inputs expected to be in the set {x}."
    code, received = _refused(target, "half_plus_two", {"z": np.float32([1])})
    assert (code, received[: len(message)]) == ("INVALID_ARGUMENT", message)


@pytest.mark.parametrize(
    ("value", "received"),
    [(np.float64([1]), "double"), (np.int32([1]), "int32"), (np.int64([1]), "int64"), ([b"1"], "string"), ([True], "bool")],
    ids=["double", "int32", "int64", "string", "bool"],
)
def test_a_dtype_is_never_cast(target, value, received):
    code, message = _refused(target, "half_plus_two", {"x": value})
    assert code == "INVALID_ARGUMENT"
    assert message.startswith(f"Expects arg[0] to be float but {received} is provided")


@pytest.mark.parametrize("value", [np.ones([2, 3], np.float32), np.float32(5)], ids=["wrong width", "scalar"])
def test_a_shape_that_the_graph_refuses_is_an_invalid_argument(target, value):
    assert _refused(target, "shapes", {"matrix": value}, signature="matmul")[0] == "INVALID_ARGUMENT"


def test_shapes_that_do_not_fit_each_other_are_an_invalid_argument(target):
    assert _refused(target, "shapes", {"a": np.ones([2], np.float32), "b": np.ones([3], np.float32)})[0] == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    "proto",
    [
        pytest.param(f'dtype: DT_FLOAT {_SHAPE} tensor_content: "abc"', id="content too short"),
        pytest.param(f'dtype: DT_FLOAT {_SHAPE} tensor_content: "abcdabcdabcdabcd"', id="content too long"),
        pytest.param(f'dtype: DT_STRING {_SHAPE} tensor_content: "\\377\\377"', id="strings cut short"),
        pytest.param(f"dtype: DT_INVALID {_SHAPE} float_val: 1", id="no dtype"),
        pytest.param("dtype: DT_FLOAT tensor_shape { dim { size: -1 } } float_val: 1", id="negative dimension"),
        pytest.param("dtype: DT_FLOAT tensor_shape { dim { size: -5 } dim { size: -5 } }", id="negative dimensions"),
        pytest.param(
            "dtype: DT_FLOAT tensor_shape { dim { size: 9223372036854775807 } dim { size: 9223372036854775807 } }", id="overflowing shape"
        ),
    ],
)
def test_bad_tensor_bytes_are_a_parsing_error(target, proto):
    code, message = _refused(target, "half_plus_two", {"x": text_format.Parse(proto, tensor_pb2.TensorProto())})
    assert code == "INVALID_ARGUMENT"
    assert message.startswith("tensor parsing error: x")


@pytest.mark.parametrize(
    ("model", "signature", "alias"), [("module", "", "examples"), ("half_plus_two", "predict_examples", "examples")], ids=["TF2", "TF1"]
)
def test_examples_that_do_not_parse_are_an_invalid_argument(target, model, signature, alias):
    code, message = _refused(target, model, {alias: [b"\xff no example"]}, signature=signature)
    assert code == "INVALID_ARGUMENT"
    assert "Could not parse example input" in message


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"times": np.float32(1)}, "Sent extra: {}. Missing but required: {x}."),
        ({"x": np.float32([1]), "time": np.float32(1)}, "Sent extra: {time}. Missing but required: {}."),
    ],
    ids=["missing", "extra"],
)
def test_defaults_stand_for_no_other_input(target, sent, said):
    code, message = _refused(target, "defaults", sent)
    assert (code, message.startswith("input size does not match signature: "), message.endswith(said)) == ("INVALID_ARGUMENT", True, True)


def test_an_unknown_output_is_refused(target):
    message = "output tensor alias not found in signature: nothing Outputs expected to be in the set {y}."
    assert _refused(target, "half_plus_two", _X, ["nothing"]) == ("INVALID_ARGUMENT", message)


def test_a_repeated_output_is_refused(target):
    assert _refused(target, "half_plus_two", _X, ["y", "y"]) == ("INVALID_ARGUMENT", "duplicate output tensor alias: y")


@pytest.mark.parametrize("model", ["numbered", "half_plus_two", "nobody"])
def test_an_unknown_label_is_an_invalid_argument(target, model):
    assert _refused(target, model, _X, label="nothing") == ("INVALID_ARGUMENT", "Unrecognized servable version label: nothing")


@pytest.mark.parametrize("method", ["/tensorflow.serving.PredictionService/Guess", "/tensorflow.serving.Nothing/Predict"])
def test_an_unknown_method_is_unimplemented(target, method):
    with pytest.raises(grpc.RpcError) as caught:
        target.channel.unary_unary(method)(b"", timeout=TIMEOUT)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.tapeline_only  # gRPC's C++ server calls it INTERNAL
def test_a_message_that_is_none_is_an_invalid_argument(target):
    with pytest.raises(grpc.RpcError) as caught:
        target.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")(b"\xff\xff", timeout=TIMEOUT)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_the_server_answers_rightly_after_all_that(target):
    response = target.predict(predict_request("half_plus_two", {"x": np.float32([2])}))
    assert tf.make_ndarray(response.outputs["y"]).tolist() == [3.0]
