"""Requests at half of capacity while ten versions come and go, two of them corrupt. TAPELINE_SWITCH_SECONDS shortens the 60 seconds."""

import http.client
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest

from serving import prediction_pb2 as pb
from tests.serving.conftest import write_version  # noqa: F401 - a fixture, asked for by its name

SECONDS = float(os.environ.get("TAPELINE_SWITCH_SECONDS", "60"))
CHECKOUT = Path(__file__).resolve().parents[2]
FIRST, ARRIVING, CORRUPT = 1, range(2, 12), {5, 8}
GOOD = [version for version in (FIRST, *ARRIVING) if version not in CORRUPT]
GRPC_CALLERS, REST_CALLERS = 6, 2
AVAILABLE, END = 30, 50
PIXEL = b"\0" * 784  # the class that a version answers is then its constant, its place in GOOD


class Answer(NamedTuple):
    """One request: when it was sent and answered, and the version that its class tells."""

    sent: float
    answered: float
    version: int


class GrpcCaller:
    """Without retries, which would hide a failure."""

    def __init__(self, grpc_address, rest_address):
        options = [("grpc.enable_retries", 0), ("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
        channel = grpc.insecure_channel(grpc_address, options=options)
        self._predict = channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict", pb.PredictRequest.SerializeToString, pb.PredictResponse.FromString
        )
        self._request = pb.PredictRequest(model_spec=pb.ModelSpec(name="digits", signature_name="predict_pixels"))
        self._request.inputs["pixels"].CopyFrom(pb.TensorProto(dtype=4, tensor_content=PIXEL))
        for size in (1, 28, 28, 1):
            self._request.inputs["pixels"].tensor_shape.dim.add(size=size)

    def ask(self):
        response = self._predict(self._request, timeout=30)
        version = GOOD[response.outputs["classes"].int64_val[0]]
        assert response.model_spec.version.value == version, "the version that is named is not the one that answered"
        return version


class RestCaller:
    """Over one kept-alive connection."""

    def __init__(self, grpc_address, rest_address):
        self._connection = http.client.HTTPConnection(rest_address, timeout=30)
        self._body = json.dumps({"signature_name": "predict_pixels", "instances": [[[[0]] * 28] * 28]})

    def ask(self):
        self._connection.request("POST", "/v1/models/digits:predict", self._body)
        response = self._connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        return GOOD[json.loads(body)["predictions"][0]["classes"]]


class Caller(threading.Thread):
    """First as fast as it is answered, which tells its capacity, then at half of that until `end` is set."""

    def __init__(self, transport, addresses, warm_seconds, end):
        super().__init__(daemon=True)
        self._transport, self._warm_seconds, self._end = transport(*addresses), warm_seconds, end
        self.answers, self.failures = [], []
        self.paced = threading.Event()

    def run(self):
        started = time.monotonic()
        while time.monotonic() < started + self._warm_seconds:
            self._ask()
        pause = 2 * self._warm_seconds / len(self.answers or [None])
        self.paced.set()
        due = time.monotonic()
        while not self._end.wait(max(0.0, due - time.monotonic())):
            self._ask()
            due += pause

    def _ask(self):
        sent = time.monotonic()
        try:
            version = self._transport.ask()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a request that failed
            self.failures.append(f"{type(error).__name__}: {error}")
        else:
            self.answers.append(Answer(sent, time.monotonic(), version))


@pytest.fixture
def base_path(tmp_path, write_version):  # noqa: F811 - the fixture of that name
    write_version(tmp_path / "digits", FIRST, GOOD.index(FIRST))
    return tmp_path / "digits"


@pytest.fixture
def addresses(base_path):
    """(gRPC, REST) of `tapeline serve` in a process of its own."""
    command = [sys.executable, "-m", "pipeline.cli", "serve", "--model_name", "digits", "--model_base_path", str(base_path)]
    process = subprocess.Popen([*command, "--port", "auto", "--rest_api_port", "auto"], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    try:
        line = next(line for line in process.stdout if " serves: gRPC " in line)
        drain = threading.Thread(target=process.stdout.read, daemon=True)  # it tells of every version
        drain.start()
        yield line.split("gRPC ")[1].split(",")[0], line.split("REST http://")[1].split("/")[0]
    finally:
        process.terminate()
        process.wait(30)


def test_no_request_fails_or_goes_back_in_time_while_versions_come_and_go(base_path, addresses, tmp_path, write_version):  # noqa: F811
    end = threading.Event()
    callers = [Caller(GrpcCaller, addresses, SECONDS / 20, end) for _ in range(GRPC_CALLERS)]
    callers += [Caller(RestCaller, addresses, SECONDS / 20, end) for _ in range(REST_CALLERS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        assert caller.paced.wait(60)
    come_and_go(base_path, addresses[0], tmp_path / "elsewhere", write_version)
    end.set()
    for caller in callers:
        caller.join(60)

    assert [failure for caller in callers for failure in caller.failures] == []
    answers = [answer for caller in callers for answer in caller.answers]
    assert {answer.version for answer in answers} == set(GOOD)
    assert went_back_in_time(answers) == []


def come_and_go(base_path, address, elsewhere, write):
    """One version every eleventh of the time; once the server has taken it in, or has given it up, what came before it goes."""
    started, previous = time.monotonic(), FIRST
    for number, version in enumerate(ARRIVING):
        if version in CORRUPT:
            corrupted(write(elsewhere, version, 0), number).rename(base_path / str(version))
            wait_for(address, version, END)
            shutil.rmtree(base_path / str(version))
        else:
            write(base_path, version, GOOD.index(version))
            wait_for(address, version, AVAILABLE)
            shutil.rmtree(base_path / str(previous))
            previous = version
        pause_until(started + (number + 1) * SECONDS / (len(ARRIVING) + 1))
    pause_until(started + SECONDS)


def corrupted(folder, number):
    """The graph cut in half, or no weights."""
    if number % 2:
        graph = folder / "saved_model.pb"
        graph.write_bytes(graph.read_bytes()[: graph.stat().st_size // 2])
    else:
        shutil.rmtree(folder / "variables")
    return folder


def wait_for(address, version, state):
    """Until the server says that the version is in that state; at most a minute."""
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        status = channel.unary_unary(
            "/tensorflow.serving.ModelService/GetModelStatus",
            pb.GetModelStatusRequest.SerializeToString,
            pb.GetModelStatusResponse.FromString,
        )
        request, end = pb.GetModelStatusRequest(model_spec=pb.ModelSpec(name="digits")), time.monotonic() + 60
        while (version, state) not in {(entry.version, entry.state) for entry in status(request, timeout=30).model_version_status}:
            assert time.monotonic() < end, f"version {version} did not get to state {state}"
            time.sleep(0.05)


def pause_until(moment):
    """The load goes on meanwhile."""
    time.sleep(max(0.0, moment - time.monotonic()))


def went_back_in_time(answers):
    """The answers to requests that were sent after a newer version had already answered another."""
    by_answer, newest, taken, late = sorted(answers, key=lambda each: each.answered), 0, 0, []
    for answer in sorted(answers):
        while by_answer[taken].answered < answer.sent:
            newest = max(newest, by_answer[taken].version)
            taken += 1
        if answer.version < newest:
            late.append((answer, newest))
    return late


def test_what_the_check_takes_for_going_back_in_time():
    """Overlapping requests may be answered by either version; one sent after the newer one's answer may not be by the older."""
    assert went_back_in_time([Answer(0, 3, 1), Answer(1, 2, 2), Answer(2.5, 4, 2)]) == []
    assert went_back_in_time([Answer(0, 3, 1), Answer(1, 2, 2), Answer(2.5, 4, 1)]) == [(Answer(2.5, 4, 1), 2)]
