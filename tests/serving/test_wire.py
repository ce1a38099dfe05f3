"""The client's own messages are, byte for byte, those of tensorflow-serving-api."""

import numpy as np
import pytest
from tensorflow_serving.apis import get_model_status_pb2, predict_pb2

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
