"""The data plane over gRPC: TensorFlow Serving's PredictionService and ModelService.

    bytes -> request message -> DataPlane's method -> reply message; a ServingError becomes its status here and nowhere else

Messages are parsed here and not by gRPC, so that a malformed one is the caller's INVALID_ARGUMENT and no traceback.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import grpc
import numpy as np
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import get_model_status_pb2, model_pb2, predict_pb2

from serving.errors import InvalidArgumentError, ServingError
from serving.server.data_plane import DataPlane, ModelSpec, Prediction
from serving.server.saved_model import Signature
from serving.tensors import read_tensor, write_tensor

_log = logging.getLogger(__name__)


def services(plane: DataPlane) -> list[grpc.GenericRpcHandler]:
    """The services' handlers, for `grpc.Server.add_generic_rpc_handlers`; a method that is not here is UNIMPLEMENTED."""
    return [
        _service("PredictionService", {"Predict": (predict_pb2.PredictRequest, predict)}, plane),
        _service("ModelService", {"GetModelStatus": (get_model_status_pb2.GetModelStatusRequest, get_model_status)}, plane),
    ]


def predict(plane: DataPlane, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
    """PredictionService/Predict."""
    return _predict_response(
        plane.predict(_spec(request), lambda signature: _read_inputs(signature, request.inputs), request.output_filter)
    )


def get_model_status(plane: DataPlane, request: get_model_status_pb2.GetModelStatusRequest) -> get_model_status_pb2.GetModelStatusResponse:
    """ModelService/GetModelStatus."""
    response = get_model_status_pb2.GetModelStatusResponse()
    for status in plane.get_model_status(_spec(request)):
        entry = response.model_version_status.add(version=status.version, state=status.state.value)
        entry.status.error_code = grpc.StatusCode[status.error_code].value[0]
        entry.status.error_message = status.error_message
    return response


def _service(name: str, methods: Mapping[str, tuple[type, Callable]], plane: DataPlane) -> grpc.GenericRpcHandler:
    handlers = {
        method: grpc.unary_unary_rpc_method_handler(_behavior(message, answer, plane), response_serializer=_serialize)
        for method, (message, answer) in methods.items()
    }
    return grpc.method_handlers_generic_handler(f"tensorflow.serving.{name}", handlers)


def _behavior(message: type, answer: Callable[[DataPlane, Any], Any], plane: DataPlane) -> Callable[[bytes, grpc.ServicerContext], Any]:
    def behave(body: bytes, context: grpc.ServicerContext) -> Any:
        try:
            return answer(plane, _parse(message, body))
        except ServingError as error:
            return context.abort(grpc.StatusCode[error.code], str(error))
        except Exception as error:  # noqa: BLE001 - a bug in one answer must be that caller's INTERNAL, not a traceback on the screen
            _log.debug("request failed", exc_info=True)
            return context.abort(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")

    return behave


def _parse(message: type, body: bytes) -> Any:
    try:
        return message.FromString(body)
    except DecodeError as error:
        raise InvalidArgumentError(
            f"Expected a serialized {message.DESCRIPTOR.full_name}. Received {len(body)} bytes that are none."
        ) from error


def _serialize(response: Any) -> bytes:
    return response.SerializeToString()


def _spec(request: Any) -> ModelSpec:
    if not request.HasField("model_spec"):
        raise InvalidArgumentError("Missing ModelSpec")
    spec: model_pb2.ModelSpec = request.model_spec
    if spec.version_label:
        raise InvalidArgumentError(f"Unrecognized servable version label: {spec.version_label}")
    return ModelSpec(spec.name, spec.version.value if spec.HasField("version") else None, spec.signature_name)


def _read_inputs(signature: Signature, tensors: Mapping[str, Any]) -> dict[str, np.ndarray]:
    signature.check_names(tensors)
    return {name: _read_input(name, tensor) for name, tensor in tensors.items()}


def _read_input(name: str, tensor: Any) -> np.ndarray:
    try:
        return read_tensor(tensor)
    except ServingError as error:
        raise InvalidArgumentError(f"tensor parsing error: {name}. {error}") from error


def _predict_response(prediction: Prediction) -> predict_pb2.PredictResponse:
    response = predict_pb2.PredictResponse()
    response.model_spec.name = prediction.spec.name
    response.model_spec.version.value = prediction.spec.version
    response.model_spec.signature_name = prediction.spec.signature_name
    for name, array in prediction.outputs.items():
        write_tensor(array, response.outputs[name], typed=True)
    return response
