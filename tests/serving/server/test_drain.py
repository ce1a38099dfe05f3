"""A closed door: what is inside is answered, what comes is refused as UNAVAILABLE, over gRPC and over REST; health answers to the end."""

import http.client
import json
import os
import threading

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from serving.client import Client
from serving.errors import UnavailableError
from serving.server.drain import REFUSAL, Door

SECONDS = 20


@pytest.fixture
def served(write_version, serve_here, tmp_path):
    write_version(tmp_path / "base", 7, 3)
    return serve_here(tmp_path / "base")


def _post(address, path):
    connection = http.client.HTTPConnection(address, timeout=SECONDS)
    connection.request("POST", path, b"{}")
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def test_who_is_inside_is_answered_and_who_comes_later_is_refused(served, tmp_path):
    pipes = [tmp_path / "here", tmp_path / "there"]
    for pipe in pipes:
        os.mkfifo(pipe)
    answers = []
    with Client(served.grpc, model_name="digits", deadline=SECONDS) as client:
        inputs = {name: str(pipe).encode() for name, pipe in zip(("here", "there"), pipes, strict=True)}
        caller = threading.Thread(target=lambda: answers.append(client.predict(inputs, "meet")["constant"]))
        caller.start()
        assert pipes[0].read_text() == "in flight"
        served.door.close()
        with grpc.insecure_channel(served.grpc) as channel:
            call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
            with pytest.raises(grpc.RpcError) as caught:
                call(b"", timeout=SECONDS)
            assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.UNAVAILABLE, REFUSAL)
            health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
            assert health.status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert _post(served.rest, "/v1/models/digits:predict") == (503, {"error": REFUSAL})
        assert served.door.inside == 1
        assert pipes[1].read_text() == "answered"
        caller.join(SECONDS)
    assert answers == [3]
    served.loop.run(served.door.wait(SECONDS), SECONDS)
    assert served.door.inside == 0


def test_a_request_that_fails_has_left():
    door = Door()
    with pytest.raises(ZeroDivisionError), door:
        assert door.inside == 1
        raise ZeroDivisionError
    assert door.inside == 0


def test_a_closed_door_lets_nobody_in():
    door = Door()
    door.close()
    with pytest.raises(UnavailableError, match=REFUSAL), door:
        pytest.fail("was let in")
    assert door.inside == 0


def test_waiting_ends_when_the_time_is_up_though_somebody_is_inside(served):
    with served.door:
        served.loop.run(served.door.wait(0.3), SECONDS)
        assert served.door.inside == 1
