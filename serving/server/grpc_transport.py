"""The data plane over gRPC: TensorFlow Serving's PredictionService and ModelService, for a `grpc.aio` server.

    bytes -> request message -> DataPlane's method -> reply message; a ServingError becomes its status here and nowhere else

Messages are parsed here and not by gRPC, so that a malformed one is the caller's INVALID_ARGUMENT and no traceback.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import grpc
import numpy as np
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_pb2,
    predict_pb2,
    regression_pb2,
)

from serving.errors import InvalidArgumentError, ServingError, shortened
from serving.server.data_plane import DataPlane, Prediction
from serving.server.drain import Door
from serving.server.grpc_connections import Callers
from serving.server.inference import Classification, Task, input_examples
from serving.server.message_in_pieces import from_string
from serving.server.model_spec import ModelSpec
from serving.server.reading import LARGE_BYTES, MANY_EXAMPLES, in_thread_if, read
from serving.server.saved_model import CLASSIFY_METHOD, Signature
from serving.tensors import read_tensor, write_tensor

PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"
_SIGNATURE_DEF = "signature_def"
_log = logging.getLogger(__name__)


class Watch(Protocol):
    """Told of every request, see `metrics.Metrics`; seconds."""

    def request(self, model: str, api: str, entrypoint: str, status: str, seconds: float) -> None:
        """A request was answered."""


class Log(Protocol):
    """Keeps a share of the requests, see `request_log.RequestLog`."""

    def offer(self, model: str, make: Callable[[], Any], size: int = 0) -> None:
        """`make` gives the log's field, request and reply of a request of `size` bytes; it is only called when that is sampled."""


@dataclass(frozen=True)
class Observers:
    """Who hears of the requests, and the door that they come in by."""

    watch: Watch
    door: Door
    log: Log | None = None
    most_at_a_time: int = 1024  # requests to models
    grpc_callers: Callers = field(default_factory=Callers)


@dataclass(frozen=True)
class _Method:
    """One method: its request's message, what answers it, and where the request names its model."""

    message: type
    answer: Callable[[DataPlane, Any], Awaitable[Any]]
    spec: Callable[[Any], model_pb2.ModelSpec] = lambda request: request.model_spec
    log_field: str = ""


def services(plane: DataPlane, observers: Observers) -> list[grpc.GenericRpcHandler]:
    """The services' handlers, for `grpc.aio.Server.add_generic_rpc_handlers`; a method that is not here is UNIMPLEMENTED."""
    return [_service(name, methods, plane, observers) for name, methods in _SERVICES.items()]


async def predict(plane: DataPlane, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
    """PredictionService/Predict."""
    size = request.ByteSize()
    prediction = await plane.predict(
        _spec(request), lambda signature: read(size, _read_inputs, signature, request.inputs), request.output_filter
    )
    values = sum(array.size for array in prediction.outputs.values())
    with plane.serializing(prediction.spec.name):
        return await in_thread_if(values > LARGE_BYTES, _predict_response, prediction)


async def classify(plane: DataPlane, request: classification_pb2.ClassificationRequest) -> classification_pb2.ClassificationResponse:
    """PredictionService/Classify."""
    done = await plane.classify(_spec(request), await _read_examples(request))
    response = classification_pb2.ClassificationResponse()
    _write_spec(done.specs[0], response.model_spec)
    await in_thread_if(len(done.results[0]) > MANY_EXAMPLES, _write_classification, done.results[0], response.result)
    return response


async def regress(plane: DataPlane, request: regression_pb2.RegressionRequest) -> regression_pb2.RegressionResponse:
    """PredictionService/Regress."""
    done = await plane.regress(_spec(request), await _read_examples(request))
    response = regression_pb2.RegressionResponse()
    _write_spec(done.specs[0], response.model_spec)
    await in_thread_if(len(done.results[0]) > MANY_EXAMPLES, _write_regression, done.results[0], response.result)
    return response


async def multi_inference(plane: DataPlane, request: inference_pb2.MultiInferenceRequest) -> inference_pb2.MultiInferenceResponse:
    """PredictionService/MultiInference."""
    specs = [_read_spec(task.model_spec) for task in request.tasks] or [ModelSpec("")]
    for spec in specs[1:]:
        if not spec.name:
            raise InvalidArgumentError("Found ModelSpec with an empty model name.")
        if spec.name != specs[0].name:
            raise InvalidArgumentError("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
    tasks = [Task(task.model_spec.signature_name, task.method_name) for task in request.tasks]
    done = await plane.multi_inference(specs[0], tasks, await _read_examples(request))
    response = inference_pb2.MultiInferenceResponse()
    for task, spec, result in zip(tasks, done.specs, done.results, strict=True):
        entry = response.results.add()
        _write_spec(spec, entry.model_spec)
        if task.method_name == CLASSIFY_METHOD:
            await in_thread_if(len(result) > MANY_EXAMPLES, _write_classification, result, entry.classification_result)
        else:
            await in_thread_if(len(result) > MANY_EXAMPLES, _write_regression, result, entry.regression_result)
    return response


async def get_model_metadata(
    plane: DataPlane, request: get_model_metadata_pb2.GetModelMetadataRequest
) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """PredictionService/GetModelMetadata."""
    spec = _spec(request)
    if not request.metadata_field:
        raise InvalidArgumentError("GetModelMetadataRequest must specify at least one metadata_field")
    for name in request.metadata_field:
        if name != _SIGNATURE_DEF:
            raise InvalidArgumentError(f"Metadata field {name} is not supported")
    signatures, resolved = plane.get_model_metadata(spec)
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name, response.model_spec.version.value = resolved.name, resolved.version
    response.metadata[_SIGNATURE_DEF].Pack(signature_def_map(signatures))
    return response


def signature_def_map(signatures: Mapping[str, Any]) -> get_model_metadata_pb2.SignatureDefMap:
    """The message that metadata is packed as."""
    message = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in signatures.items():
        message.signature_def[name].CopyFrom(definition)
    return message


async def get_model_status(
    plane: DataPlane, request: get_model_status_pb2.GetModelStatusRequest
) -> get_model_status_pb2.GetModelStatusResponse:
    """ModelService/GetModelStatus."""
    response = get_model_status_pb2.GetModelStatusResponse()
    for status in plane.get_model_status(_spec(request)):
        entry = response.model_version_status.add(version=status.version, state=status.state.value)
        entry.status.error_code = grpc.StatusCode[status.error_code].value[0]
        entry.status.error_message = status.error_message
    return response


async def handle_reload_config_request(
    plane: DataPlane, request: model_management_pb2.ReloadConfigRequest
) -> model_management_pb2.ReloadConfigResponse:
    """ModelService/HandleReloadConfigRequest."""
    await plane.handle_reload_config(request.config)
    response = model_management_pb2.ReloadConfigResponse()
    response.status.SetInParent()
    return response


def _no_spec(request: Any) -> model_pb2.ModelSpec:
    return model_pb2.ModelSpec()


def _first_spec(request: inference_pb2.MultiInferenceRequest) -> model_pb2.ModelSpec:
    return request.tasks[0].model_spec if request.tasks else model_pb2.ModelSpec()


_SERVICES = {
    PREDICTION_SERVICE: {
        "Predict": _Method(predict_pb2.PredictRequest, predict, log_field="predict_log"),
        "Classify": _Method(classification_pb2.ClassificationRequest, classify, log_field="classify_log"),
        "Regress": _Method(regression_pb2.RegressionRequest, regress, log_field="regress_log"),
        "MultiInference": _Method(inference_pb2.MultiInferenceRequest, multi_inference, _first_spec, log_field="multi_inference_log"),
        "GetModelMetadata": _Method(get_model_metadata_pb2.GetModelMetadataRequest, get_model_metadata),
    },
    MODEL_SERVICE: {
        "GetModelStatus": _Method(get_model_status_pb2.GetModelStatusRequest, get_model_status),
        "HandleReloadConfigRequest": _Method(model_management_pb2.ReloadConfigRequest, handle_reload_config_request, _no_spec),
    },
}


def _service(name: str, methods: Mapping[str, _Method], plane: DataPlane, observers: Observers) -> grpc.GenericRpcHandler:
    places = asyncio.Semaphore(observers.most_at_a_time)
    handlers = {
        api: grpc.unary_unary_rpc_method_handler(_behavior(api, method, plane, observers, places), response_serializer=_serialize)
        for api, method in methods.items()
    }
    return grpc.method_handlers_generic_handler(name, handlers)


def _behavior(
    api: str, method: _Method, plane: DataPlane, observers: Observers, places: asyncio.Semaphore
) -> Callable[[bytes, Any], Awaitable[bytes]]:
    watch, door, log = observers.watch, observers.door, observers.log if method.log_field else None
    working_for = observers.grpc_callers.working_for

    async def behave(body: bytes, context: grpc.aio.ServicerContext) -> bytes:
        started = time.monotonic()
        model = ""
        try:
            with door, working_for(context.peer()):
                async with places:
                    request = await read(len(body), _parse, method.message, body)
                    model = method.spec(request).name
                    response = await method.answer(plane, request)
        except ServingError as error:
            watch.request(model, api, "GRPC", error.code, time.monotonic() - started)
            return await context.abort(grpc.StatusCode[error.code], shortened(str(error)))
        except Exception as error:  # noqa: BLE001 - a bug in one answer must be that caller's INTERNAL, not a traceback on the screen
            _log.debug("request failed", exc_info=True)
            watch.request(model, api, "GRPC", "INTERNAL", time.monotonic() - started)
            return await context.abort(grpc.StatusCode.INTERNAL, shortened(f"{type(error).__name__}: {error}"))
        if log is not None:
            log.offer(model, lambda: (method.log_field, request, response), len(body))
        watch.request(model, api, "GRPC", "OK", time.monotonic() - started)
        return response

    return behave


def _parse(message: type, body: bytes) -> Any:
    try:
        return from_string(message, body)
    except DecodeError as error:
        raise InvalidArgumentError(
            f"Expected a serialized {message.DESCRIPTOR.full_name}. Received {len(body)} bytes that are none."
        ) from error


def _serialize(response: Any) -> bytes:
    return response.SerializeToString()


def _spec(request: Any) -> ModelSpec:
    if not request.HasField("model_spec"):
        raise InvalidArgumentError("Missing ModelSpec")
    return _read_spec(request.model_spec)


def _read_spec(spec: model_pb2.ModelSpec) -> ModelSpec:
    return ModelSpec(spec.name, spec.version.value if spec.HasField("version") else None, spec.signature_name, spec.version_label)


def _write_spec(spec: ModelSpec, message: model_pb2.ModelSpec) -> None:
    message.name, message.signature_name = spec.name, spec.signature_name
    message.version.value = spec.version


async def _read_examples(request: Any) -> list[bytes]:
    return await read(request.input.ByteSize(), input_examples, request.input)


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
    _write_spec(prediction.spec, response.model_spec)
    for name, array in prediction.outputs.items():
        write_tensor(array, response.outputs[name], typed=True)
    return response


def _write_classification(classification: Classification, message: classification_pb2.ClassificationResult) -> None:
    message.SetInParent()
    for classes in classification:
        entry = message.classifications.add()
        for label, score in classes:
            entry.classes.add(label=label, score=score)


def _write_regression(values: Iterable[float], message: regression_pb2.RegressionResult) -> None:
    message.SetInParent()
    for value in values:
        message.regressions.add(value=value)
