"""Server reflection and grpc.health.v1, which TensorFlow Serving does not have. Asked in bytes, because both are others' messages."""

import grpc
import pytest

from tests.serving.conformance.target import TIMEOUT

pytestmark = pytest.mark.tapeline_only

_REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
_SERVING, _NOT_FOUND = b"\x08\x01", grpc.StatusCode.NOT_FOUND


def _string(field, text):
    return bytes([field << 3 | 2, len(text)]) + text.encode()


def _reflect(target, *requests):
    return list(target.channel.stream_stream(_REFLECTION)(iter(requests), timeout=TIMEOUT))


def _check(target, service):
    return target.channel.unary_unary("/grpc.health.v1.Health/Check")(_string(1, service) if service else b"", timeout=TIMEOUT)


def test_reflection_lists_the_services(target):
    (answer,) = _reflect(target, _string(7, ""))
    for service in ("tensorflow.serving.PredictionService", "tensorflow.serving.ModelService", "grpc.health.v1.Health"):
        assert _string(1, service) in answer


def test_reflection_describes_a_service_by_name(target):
    (answer,) = _reflect(target, _string(4, "tensorflow.serving.PredictionService"))
    assert b"tensorflow_serving/apis/prediction_service.proto" in answer


def test_reflection_answers_one_request_after_another(target):
    names = ["tensorflow.serving.ModelService", "no.such.Service"]
    known, unknown = _reflect(target, *(_string(4, name) for name in names))
    assert b"GetModelStatus" in known
    assert b"GetModelStatus" not in unknown


@pytest.mark.parametrize("service", ["", "tensorflow.serving.PredictionService", "tensorflow.serving.ModelService"])
def test_the_server_is_healthy(target, service):
    assert _check(target, service) == _SERVING


def test_the_health_of_an_unknown_service_is_not_found(target):
    with pytest.raises(grpc.RpcError) as caught:
        _check(target, "no.such.Service")
    assert caught.value.code() is _NOT_FOUND


def test_health_may_be_watched(target):
    watch = target.channel.unary_stream("/grpc.health.v1.Health/Watch")(b"", timeout=TIMEOUT)
    assert next(watch) == _SERVING
    watch.cancel()
