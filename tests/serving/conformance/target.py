"""The server under test as its clients see it: tensorflow-serving-api's stubs over gRPC, http.client over REST."""

import http.client
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

TIMEOUT = 30  # seconds; an answer takes milliseconds, so only a hang comes near it
_UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


@dataclass(frozen=True)
class Answer:
    """What REST answered; `json` parses it, NaN and Infinity included."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def error(self) -> str:
        """The message of `{"error": "..."}`, which must be the whole answer."""
        assert list(self.json) == ["error"], self.text
        return self.json["error"]


class Target:
    """A server's two addresses; `models` is the folder it serves from where this machine has it, else None."""

    def __init__(self, address: str, rest_address: str, models: Path | None) -> None:
        self.address, self.rest_address, self.models = address, rest_address, models
        self.channel = grpc.insecure_channel(address, options=_UNLIMITED)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def predict(self, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        return self.prediction.Predict(request, timeout=TIMEOUT)

    def classify(self, request: classification_pb2.ClassificationRequest) -> classification_pb2.ClassificationResponse:
        return self.prediction.Classify(request, timeout=TIMEOUT)

    def regress(self, request: regression_pb2.RegressionRequest) -> regression_pb2.RegressionResponse:
        return self.prediction.Regress(request, timeout=TIMEOUT)

    def multi_inference(self, request: inference_pb2.MultiInferenceRequest) -> inference_pb2.MultiInferenceResponse:
        return self.prediction.MultiInference(request, timeout=TIMEOUT)

    def metadata(self, request: get_model_metadata_pb2.GetModelMetadataRequest) -> get_model_metadata_pb2.GetModelMetadataResponse:
        return self.prediction.GetModelMetadata(request, timeout=TIMEOUT)

    def model_status(self, request: get_model_status_pb2.GetModelStatusRequest) -> get_model_status_pb2.GetModelStatusResponse:
        return self.model.GetModelStatus(request, timeout=TIMEOUT)

    def reload(self, config) -> model_management_pb2.ReloadConfigResponse:
        return self.model.HandleReloadConfigRequest(model_management_pb2.ReloadConfigRequest(config=config), timeout=TIMEOUT)

    def states(self, name: str) -> dict[int, int]:
        """Version -> state, in the order of the answer."""
        status = self.model_status(fill(get_model_status_pb2.GetModelStatusRequest(), name))
        return {version.version: version.state for version in status.model_version_status}

    def version(self, name: str, **spec: Any) -> int:
        """Which version of a model written by `models.write_version` answers."""
        response = self.predict(predict_request(name, {"x": np.float32([1])}, **spec))
        (number,) = response.outputs["version"].int64_val
        assert number in (response.model_spec.version.value, 99), response
        return number

    def rest(self, method: str, path: str, body: bytes | str | None = None, headers: Mapping[str, str] = {}) -> Answer:
        connection = http.client.HTTPConnection(self.rest_address, timeout=TIMEOUT)
        try:
            return ask(connection, method, path, body, headers)
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.rest("GET", path)

    def post(self, path: str, body: Any) -> Answer:
        """`body` is sent as JSON unless it is text already."""
        return self.rest("POST", path, body if isinstance(body, str | bytes) else json.dumps(body))


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: bytes | str | None, headers: Mapping[str, str]) -> Answer:
    """One request over a connection that may have served others."""
    connection.request(method, path, body.encode() if isinstance(body, str) else body, dict(headers))
    response = connection.getresponse()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read().decode())


def fill(request: Any, name: str, version: int | None = None, label: str = "", signature: str = "") -> Any:
    """Fills a request's `model_spec` (a task's and a single request's alike) and returns the request."""
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    if label:
        request.model_spec.version_label = label
    return request


def predict_request(
    name: str,
    inputs: Mapping[str, Any] = {},
    output_filter: Iterable[str] = (),
    **spec: Any,
) -> predict_pb2.PredictRequest:
    """`inputs` are TensorProtos, or what `tf.make_tensor_proto` makes one of."""
    request = fill(predict_pb2.PredictRequest(), name, **spec)
    for alias, value in inputs.items():
        is_proto = hasattr(value, "tensor_shape")
        request.inputs[alias].CopyFrom(value if is_proto else tf.make_tensor_proto(value))
    request.output_filter.extend(output_filter)
    return request


def example(**features: Any) -> tf.train.Example:
    """A tf.Example: floats, ints, bytes, or lists of them, by name."""
    message = tf.train.Example()
    for name, value in features.items():
        values = value if isinstance(value, list) else [value]
        kind = {float: "float_list", int: "int64_list", bytes: "bytes_list"}[type(values[0])]
        getattr(message.features.feature[name], kind).value.extend(values)
    return message


def with_examples(request: Any, *examples: tf.train.Example, context: tf.train.Example | None = None) -> Any:
    """Fills a request's `input` and returns the request."""
    if context is None:
        request.input.example_list.examples.extend(examples)
    else:
        request.input.example_list_with_context.context.CopyFrom(context)
        request.input.example_list_with_context.examples.extend(examples)
    return request


def refused(call: Callable, request: Any) -> tuple[str, str]:
    """(code, message) of a call that must fail."""
    try:
        response = call(request)
    except grpc.RpcError as error:
        return error.code().name, error.details()
    raise AssertionError(f"Expected an error. Received: {str(response)[:300]}")


def eventually(holds: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Asks until the answer is true (a server polls its files), and returns it; the deadline only ends a test that fails."""
    deadline = time.monotonic() + seconds
    while not (answer := holds()):
        assert time.monotonic() < deadline, "It did not come true in time."
        time.sleep(0.05)
    return answer
