"""Hostile requests, in an order made by number: each is refused at once, costs nobody else's answers, and leaves nothing behind.

    TAPELINE_FUZZ_SEED=7 pytest tests/serving/fuzz/test_hostile.py -m slow        another order

While they are sent a good client asks over both ports. The bar is p99 below 50 ms and 300 MiB; the bounds here are far wider, because the
machine that runs tests is slow and has other things to do. Without its limits the server passes none of them.
"""

import gzip
import http.client
import os
import random
import resource
import socket
import struct
import threading
import time
from contextlib import ExitStack, closing

import grpc
import numpy as np
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.serving.conformance.own_server import own_server
from tests.serving.conformance.target import predict_request

_SEED = int(os.environ.get("TAPELINE_FUZZ_SEED", "20240501"))
_ROUNDS = 2
_MOST_SECONDS = 2.0  # of the good client's 99th percentile
_MOST_BYTES = 600 << 20
_SPARE_HANDLES = 16
_PREDICT = "/tensorflow.serving.PredictionService/Predict"
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_hostile_requests_are_refused_and_cost_nobody_else(tmp_path):
    cases = [case for case in _CASES.items() for _ in range(_ROUNDS)]
    random.Random(_SEED).shuffle(cases)  # noqa: S311 - repeatable on purpose
    with own_server(tmp_path) as (target, server):
        process = psutil.Process(server.pid)
        _ask_both(target)
        before = process.memory_info().rss, process.num_fds()
        for name, (send, refusals) in cases:
            with _GoodClient(target) as good:
                answer = send(target)
            assert answer in refusals, name
            assert good.failures == [], name
            assert np.percentile(good.seconds, 99) < _MOST_SECONDS, name
            assert process.memory_info().rss - before[0] < _MOST_BYTES, name
        deadline = time.monotonic() + 90  # the connections of the last cases take a minute to be ended
        while process.num_fds() > before[1] + _SPARE_HANDLES and time.monotonic() < deadline:
            time.sleep(0.2)
        assert process.num_fds() <= before[1] + _SPARE_HANDLES


@pytest.mark.parametrize("case", ["silent connections over gRPC", "idle connections over gRPC", "silent connections over REST"])
def test_with_1024_descriptors_new_callers_of_both_ports_are_answered_beside_1100_silent_connections(tmp_path, case):
    with own_server(tmp_path, descriptors=1024) as (target, _):
        send, refusals = _CASES[case]
        assert send(target) in refusals


class _GoodClient:
    """Asks over both ports until it is left, and once at least."""

    def __init__(self, target):
        self.failures, self.seconds = [], []
        self._target, self._done = target, threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._done.set()
        self._thread.join()

    def _ask(self):
        while not self.seconds or not self._done.is_set():
            started = time.monotonic()
            try:
                _ask_both(self._target)
            except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
                self.failures.append(repr(error))
            self.seconds.append(time.monotonic() - started)


def _ask_both(target):
    response = target.predict(predict_request("half_plus_two", {"x": np.float32([2])}))
    assert list(response.outputs["y"].float_val) == [3.0]
    assert target.post("/v1/models/half_plus_two:predict", {"instances": [2.0]}).json == {"predictions": [3.0]}


def _ask_both_anew(target):
    """By callers that were not connected before. gRPC's own try again after a second where they are turned away."""
    body = predict_request("half_plus_two", {"x": np.float32([2])}).SerializeToString()
    with grpc.insecure_channel(target.address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        channel.unary_unary(_PREDICT)(body, timeout=4, wait_for_ready=True)
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=4)
    assert target.post("/v1/models/half_plus_two:predict", {"instances": [2.0]}).json == {"predictions": [3.0]}


def _post(body, **headers):
    def send(target):
        with closing(http.client.HTTPConnection(target.rest_address, timeout=60)) as connection:
            try:
                connection.request("POST", "/v1/models/half_plus_two:predict", body, headers)
                return connection.getresponse().status
            except ConnectionError:  # it was refused before it was sent
                return 413

    return send


def _predict(signature, tensor, **call):
    message = predict_request("echo", signature=signature)
    entry = b"\x0a\x01x" + _field(2, tensor)
    body = message.SerializeToString() + _field(2, entry)

    def send(target):
        with grpc.insecure_channel(target.address, options=[("grpc.max_send_message_length", -1)]) as channel:
            try:
                channel.unary_unary(_PREDICT)(body, timeout=60, **call)
            except grpc.RpcError as error:
                return error.code().name
        return "OK"

    return send


def _silent(port, said, count=1100):
    """So many connections that say no more, and what a new caller is answered beside them."""

    def send(target):
        host, _, number = getattr(target, port).rpartition(":")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        try:
            with ExitStack() as held:
                for _ in range(min(count, hard - 200)):
                    connection = held.enter_context(socket.create_connection((host, int(number)), 20))
                    connection.sendall(said)
                _ask_both_anew(target)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return "answered"

    return send


def _reset(target):
    """HTTP/2 requests that are reset as soon as they are sent, for two seconds."""
    headers = b"\x83\x86" + b"".join(
        b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value
        for name, value in (
            (b":path", _PREDICT.encode()),
            (b":authority", b"a"),
            (b"content-type", b"application/grpc"),
            (b"te", b"trailers"),
        )
    )
    host, _, port = target.address.rpartition(":")
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        with socket.create_connection((host, int(port)), 20) as connection:
            try:
                connection.sendall(_PREFACE + _frame(4, 0, 0))
                for stream in range(1, 100_000, 2):
                    connection.sendall(_frame(1, 4, stream, headers) + _frame(3, 0, stream, b"\0\0\0\x08"))
                    if time.monotonic() > deadline:
                        break
            except OSError:  # the server has had enough of this connection
                continue
    return "sent"


def _frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def _field(number, content):
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value):
    return bytes([value & 127 | 128]) + _varint(value >> 7) if value > 127 else bytes([value])


def _shape(*sizes):
    return _field(2, b"".join(_field(2, b"\x08" + _varint(size)) for size in sizes))


_BOMB = gzip.compress(b" " * 2**28)
_FLOAT, _INT64, _STRING = b"\x08\x01", b"\x08\x09", b"\x08\x07"
_INVALID = {"INVALID_ARGUMENT"}
_CASES = {
    "dimensions": (_predict("", _FLOAT + _shape(*[2**62] * 100_000)), _INVALID),
    "empty dimensions": (_predict("", _FLOAT + _field(2, b"\x12\x00" * 2_000_000)), _INVALID),
    "one value for many": (_predict("int64", _INT64 + _shape(1, 1, 2**28, 1) + b"\x50\x01"), _INVALID),
    "two strings for many": (_predict("string", _STRING + _shape(2**20) + b"\x42\x01a\x42\x01b"), _INVALID),
    "millions of strings": (_predict("string", _STRING + _shape(8_000_000) + b"\x42\x00" * 8_000_000), _INVALID),
    "a large message": (_predict("string", _STRING + b"\0" * 2**25), {"RESOURCE_EXHAUSTED"}),
    "a compressed message": (_predict("string", _STRING + b"\0" * 2**28, compression=grpc.Compression.Gzip), {"UNIMPLEMENTED"}),
    "a gzip body": (_post(_BOMB, **{"Content-Encoding": "gzip"}), {413}),
    "a large body": (_post(b'{"instances": [' + b"1.5," * 25_000_000 + b"1]}"), {413}),
    "a deep body": (_post(b'{"instances": ' + b"[" * 15_000_000), {400}),
    "a body of lists": (_post(b'{"instances": [' + b"[]," * 5_000_000 + b"1]}"), {400}),
    "a body of few lists": (_post(b'{"instances": [' + b"[]," * 150_000 + b"1]}"), {400}),
    "silent connections over REST": (_silent("rest_address", b""), {"answered"}),
    "half requests over REST": (_silent("rest_address", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"), {"answered"}),
    "silent connections over gRPC": (_silent("address", b""), {"answered"}),
    "idle connections over gRPC": (_silent("address", _PREFACE + _frame(4, 0, 0)), {"answered"}),
    "rapid reset": (_reset, {"sent"}),
}
