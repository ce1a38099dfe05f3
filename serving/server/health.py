"""grpc.health.v1, as load balancers and Kubernetes' gRPC probes ask it; TensorFlow Serving itself has no such service.

"" and TensorFlow Serving's own services: SERVING when every model has a version that is available; a model's name: when that model has
"""

import asyncio
from collections.abc import AsyncIterator, Callable

import grpc
from grpc_health.v1 import health_pb2

from serving.errors import ServingError, shortened
from serving.server.grpc_connections import Callers
from serving.server.grpc_transport import MODEL_SERVICE, PREDICTION_SERVICE
from serving.server.model_spec import ModelSpec
from serving.server.models import Models
from serving.server.version_status import State

HEALTH_SERVICE = "grpc.health.v1.Health"
_Status = health_pb2.HealthCheckResponse
_LOOK_AGAIN_SECONDS = 0.5


def health_service(models: Models, is_open: Callable[[], bool], callers: Callers) -> grpc.GenericRpcHandler:
    """The handlers of Check and Watch, for a `grpc.aio` server; NOT_SERVING once `is_open` says no. Who watches is one of `callers`."""

    def status(service: str) -> int:
        if service in ("", PREDICTION_SERVICE, MODEL_SERVICE):
            served = models.served()
            serves = bool(served) and all(_is_available(models, model.name) for model in served)
        elif any(model.name == service for model in models.served()):
            serves = _is_available(models, service)
        else:
            return _Status.SERVICE_UNKNOWN
        return _Status.SERVING if serves and is_open() else _Status.NOT_SERVING

    async def check(request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext) -> health_pb2.HealthCheckResponse:
        answer = status(request.service)
        if answer == _Status.SERVICE_UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND, shortened(f"unknown service: {request.service}"))
        return _Status(status=answer)

    async def watch(request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext) -> AsyncIterator[_Status]:
        told = None
        with callers.working_for(context.peer()):
            while True:
                now = status(request.service)
                if now != told:
                    told = now
                    yield _Status(status=now)
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    parse, serialize = health_pb2.HealthCheckRequest.FromString, _Status.SerializeToString
    return grpc.method_handlers_generic_handler(
        HEALTH_SERVICE,
        {
            "Check": grpc.unary_unary_rpc_method_handler(check, parse, serialize),
            "Watch": grpc.unary_stream_rpc_method_handler(watch, parse, serialize),
        },
    )


def _is_available(models: Models, name: str) -> bool:
    try:
        return any(status.state == State.AVAILABLE for status in models.statuses(ModelSpec(name)))
    except ServingError:
        return False
