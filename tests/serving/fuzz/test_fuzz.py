"""Thousands of mutated requests: none crashes the server, none leaks, and each gets a client's error or an answer.

    TAPELINE_FUZZ_REQUESTS=20000 TAPELINE_FUZZ_SEED=7 pytest tests/serving/fuzz      how many, and which
    TAPELINE_FUZZ_ONLY=1234 pytest tests/serving/fuzz                                one case again, by the number a failure names

A case is a function of seed and number alone. Every second one is REST, the others gRPC or noise on gRPC's port.
"""

import os
import random
import socket
import time
from http.client import HTTPException, HTTPResponse

import grpc
import numpy as np
import psutil
import pytest

from tests.serving.conformance.own_server import own_server
from tests.serving.conformance.target import predict_request
from tests.serving.fuzz.grpc_cases import GrpcCase, grpc_case
from tests.serving.fuzz.rest_cases import noise, rest_case

_SEED = int(os.environ.get("TAPELINE_FUZZ_SEED", "20240501"))
_ONLY = os.environ.get("TAPELINE_FUZZ_ONLY")
_TIMEOUT = 20  # seconds; an answer takes milliseconds
_CLIENT_ERRORS = {"INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "UNIMPLEMENTED", "OUT_OF_RANGE", "RESOURCE_EXHAUSTED"}
# Everything is sent twice: after the first time caches are full, thread pools started and the allocator's arenas grown,
# and whatever grows the second time grows with every request.
_MOST_GROWTH = 1.05
_SPARE_BYTES = 48 << 20  # the allocator's slack, which counts in a short run
_ENOUGH_FAILURES = 20  # a server that hangs would take a timeout for each
_SPARE_HANDLES = 8  # connections and pool threads that come and go


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with own_server(tmp_path_factory.mktemp("fuzz")) as (target, process):
        yield target, psutil.Process(process.pid)


@pytest.mark.parametrize(
    "requests",
    [
        pytest.param(int(os.environ.get("TAPELINE_FUZZ_REQUESTS", "500")), id="share"),
        pytest.param(10_000, id="whole", marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
def test_mutated_requests_crash_nothing_leak_nothing_and_get_a_clients_error(server, requests):
    target, process = server
    numbers = [int(_ONLY)] if _ONLY else range(requests)
    _send(target, process, numbers)
    warm = _usage(process)
    _send(target, process, numbers)
    _assert_answers(target)
    _assert_no_leak(warm, process)


def _send(target, process, numbers):
    failures = []
    for number in numbers:
        failures += _failure(target, number)
        assert process.is_running(), f"The server is gone. {_replay(number)}"
        assert process.status() != psutil.STATUS_ZOMBIE, f"The server has crashed. {_replay(number)}"
        if len(failures) == _ENOUGH_FAILURES:
            break
    assert not failures, f"{len(failures)} of {number + 1}:\n" + "\n".join(failures)


def _replay(number):
    return f"Replay: TAPELINE_FUZZ_SEED={_SEED} TAPELINE_FUZZ_ONLY={number}"


def _failure(target, number):
    """[] or [one line]."""
    rng = random.Random(f"{_SEED}-{number}")  # noqa: S311 - repeatable on purpose
    if number % 50 == 0:
        case, received, is_right = _send_noise(target, noise(rng))
    elif number % 2 == 0:
        case, received, is_right = _ask_grpc(target, grpc_case(rng))
    else:
        case, received, is_right = _ask_rest(target, rest_case(rng))
    return [] if is_right else [f"{received}  for {str(case)[:300]}  {_replay(number)}"]


def _ask_grpc(target, case: GrpcCase):
    try:
        target.channel.unary_unary(case.method)(case.body, timeout=_TIMEOUT, metadata=case.metadata)
    except grpc.RpcError as error:
        return case, f"{error.code().name}: {error.details()[:200]}", error.code().name in _CLIENT_ERRORS
    return case, "OK", True


def _send_noise(target, data):
    """To the gRPC port: whatever it says to bytes that are no HTTP/2, it closes the connection."""
    with _connection(target.address) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except TimeoutError:
            return data, "the connection stays open", False
        except OSError:  # closed while something was on its way
            return data, "closed", True
    return data, "closed", True


def _connection(address):
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), _TIMEOUT)


def _ask_rest(target, case):
    with _connection(target.rest_address) as connection:
        try:
            connection.sendall(case.data)
            if not case.is_http:
                connection.shutdown(socket.SHUT_WR)  # it may look unfinished
            response = HTTPResponse(connection)
            response.begin()
            status, text = response.status, response.read(300)
        except TimeoutError:
            return case, "no answer", False
        except (OSError, HTTPException):  # closed without an answer
            return case, "closed", not case.is_http
    return case, f"{status}: {text!r}", status in (200, 501) or 400 <= status < 500


def _assert_answers(target):
    response = target.predict(predict_request("half_plus_two", {"x": np.float32([2])}))
    assert list(response.outputs["y"].float_val) == [3.0]
    assert target.post("/v1/models/half_plus_two:predict", {"instances": [2.0]}).json == {"predictions": [3.0]}


def _usage(process):
    return {"threads": process.num_threads(), "file descriptors": process.num_fds(), "resident bytes": process.memory_info().rss}


def _assert_no_leak(warm, process):
    limits = {name: value + _SPARE_HANDLES for name, value in warm.items()}
    limits["resident bytes"] = warm["resident bytes"] * _MOST_GROWTH + _SPARE_BYTES
    deadline = time.monotonic() + 10  # closed connections take a moment to go
    while any((usage := _usage(process))[name] > limit for name, limit in limits.items()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert {name for name, limit in limits.items() if usage[name] > limit} == set(), f"{warm} when warm, {usage} at the end"
