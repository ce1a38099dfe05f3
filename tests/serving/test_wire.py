"""The client's own messages are, byte for byte, those of tensorflow-serving-api."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)

from serving import prediction_pb2
from serving.tensors import write_tensor


@pytest.mark.parametrize("typed", [True, False], ids=["typed", "bytes"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32", "uint8", "int64", "bool", "uint32", "uint64", "object"])
def test_a_predict_request_is_the_same_bytes(dtype, typed):
    array = np.array([[b"a", b""]], object) if dtype == "object" else np.array([[1, 0, 1]]).astype(dtype)
    assert _request(prediction_pb2, array, typed) == _request(predict_pb2, array, typed)


def test_a_predict_response_is_read_whole():
    theirs = predict_pb2.PredictResponse()
    theirs.model_spec.name, theirs.model_spec.version.value, theirs.model_spec.signature_name = "m", 2**40, "s"
    write_tensor(np.arange(3.0, dtype=np.float32), theirs.outputs["x"], typed=True)
    ours = prediction_pb2.PredictResponse.FromString(theirs.SerializeToString(deterministic=True))
    assert ours.model_spec.version.value == 2**40
    assert list(ours.outputs["x"].float_val) == [0.0, 1.0, 2.0]
    assert ours.SerializeToString(deterministic=True) == theirs.SerializeToString(deterministic=True)


def test_a_model_status_is_the_same_bytes():
    theirs, ours = get_model_status_pb2.GetModelStatusResponse(), prediction_pb2.GetModelStatusResponse()
    for response in (theirs, ours):
        entry = response.model_version_status.add(version=3, state=30)
        entry.status.error_code, entry.status.error_message = 5, "why"
    assert ours.SerializeToString() == theirs.SerializeToString()


def _request(messages, array, typed):
    request = messages.PredictRequest(output_filter=["y"])
    request.model_spec.name, request.model_spec.signature_name = "m", "s"
    request.model_spec.version.value = 0
    write_tensor(array, request.inputs["x"], typed=typed)
    return request.SerializeToString(deterministic=True)


def _example(number):
    example = tf.train.Example()
    example.features.feature["x"].float_list.value.append(number)
    return example


def _fill_input(message, examples, context, whole):
    kind = message.example_list_with_context if context else message.example_list
    for example in examples:
        kind.examples.append(example if whole else example.SerializeToString())
    if context:
        if whole:
            kind.context.CopyFrom(context)
        else:
            kind.context = context.SerializeToString()


@pytest.mark.parametrize("context", [None, _example(5.0)], ids=["examples", "with context"])
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (classification_pb2.ClassificationRequest, prediction_pb2.ClassificationRequest),
        (regression_pb2.RegressionRequest, prediction_pb2.RegressionRequest),
    ],
    ids=["classify", "regress"],
)
def test_examples_are_the_same_bytes(theirs, ours, context):
    requests = [theirs(), ours()]
    for request in requests:
        request.model_spec.name, request.model_spec.version_label, request.model_spec.signature_name = "m", "stable", "s"
        _fill_input(request.input, [_example(1.0), _example(2.0)], context, whole=request is requests[0])
    assert requests[0].SerializeToString(deterministic=True) == requests[1].SerializeToString(deterministic=True)


def test_results_are_read_and_written_as_the_same_bytes():
    theirs = inference_pb2.MultiInferenceResponse()
    first, second = theirs.results.add(), theirs.results.add()
    first.model_spec.name, first.model_spec.version.value = "m", 3
    first.classification_result.classifications.add().classes.add(label="cat", score=0.5)
    second.regression_result.regressions.add(value=-1.25)
    ours = prediction_pb2.MultiInferenceResponse.FromString(theirs.SerializeToString(deterministic=True))
    assert ours.results[0].classification_result.classifications[0].classes[0].label == "cat"
    assert ours.results[1].regression_result.regressions[0].value == -1.25
    assert ours.SerializeToString(deterministic=True) == theirs.SerializeToString(deterministic=True)


def test_a_multi_inference_request_is_the_same_bytes():
    requests = [inference_pb2.MultiInferenceRequest(), prediction_pb2.MultiInferenceRequest()]
    for request in requests:
        task = request.tasks.add(method_name="tensorflow/serving/regress")
        task.model_spec.name = "m"
        _fill_input(request.input, [_example(1.0)], None, whole=request is requests[0])
    assert requests[0].SerializeToString(deterministic=True) == requests[1].SerializeToString(deterministic=True)


def test_metadata_is_read_whole_and_what_is_unknown_survives():
    signatures = get_model_metadata_pb2.SignatureDefMap()
    signature = signatures.signature_def["s"]
    signature.method_name = "tensorflow/serving/predict"
    signature.inputs["x"].name, signature.inputs["x"].dtype = "x:0", 1
    signature.inputs["x"].tensor_shape.dim.add(size=-1)
    signature.defaults["x"].float_val.append(3.0)
    signature.outputs["y"].coo_sparse.values_tensor_name = "v:0"  # a field that the client does not have
    theirs = get_model_metadata_pb2.GetModelMetadataResponse()
    theirs.model_spec.version.value = 3
    theirs.metadata["signature_def"].Pack(signatures)
    ours = prediction_pb2.GetModelMetadataResponse.FromString(theirs.SerializeToString(deterministic=True))
    assert ours.SerializeToString(deterministic=True) == theirs.SerializeToString(deterministic=True)
    read = prediction_pb2.SignatureDefMap.FromString(ours.metadata["signature_def"].value)
    assert (read.signature_def["s"].inputs["x"].dtype, read.signature_def["s"].inputs["x"].tensor_shape.dim[0].size) == (1, -1)
    assert list(read.signature_def["s"].defaults["x"].float_val) == [3.0]
    assert read.SerializeToString(deterministic=True) == signatures.SerializeToString(deterministic=True)
