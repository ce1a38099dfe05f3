"""Models are replaced over gRPC only by those who may, and while one waits for its models everybody else is answered."""

import json
import queue
import urllib.request

import grpc
import pytest
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub

from serving.client import Client
from serving.server.flags import parse_flags
from serving.server.reload_requests import refusal

_SECONDS = 60.0  # only a hang comes near it
_MOST_RELOADS, _TOO_MANY = 16, 24


@pytest.mark.parametrize(
    ("arguments", "taken"),
    [
        ([], True),
        (["--bind_address=127.0.0.2"], True),
        (["--bind_address=::1"], True),
        (["--bind_address=localhost"], True),
        (["--bind_address=0.0.0.0"], False),
        (["--bind_address=::"], False),
        (["--bind_address=192.0.2.1"], False),
        (["--bind_address=somewhere"], False),
        (["--bind_address=0.0.0.0", "--allow_reload_requests"], True),
        (["--allow_reload_requests=false"], False),
    ],
)
def test_a_reload_is_taken_on_loopback_or_where_the_operator_says_so(arguments, taken):
    flags = parse_flags(["--model_base_path=x", *arguments])
    assert (refusal(allowed=flags.allow_reload_requests, bind_address=flags.bind_address) == "") == taken


def test_a_refused_reload_says_what_to_do_instead_and_changes_nothing(serve_here, write_version, tmp_path):
    write_version(tmp_path, 1, 1)
    server = serve_here(tmp_path, reload_refusal=refusal(allowed=None, bind_address="0.0.0.0"))  # noqa: S104 - it listens on loopback
    with grpc.insecure_channel(server.grpc) as channel, pytest.raises(grpc.RpcError) as refused:
        ModelServiceStub(channel).HandleReloadConfigRequest(_request(), timeout=_SECONDS)
    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
    for remedy in ("--model_config_file", "--model_config_file_poll_wait_seconds", "--allow_reload_requests", "listens on 0.0.0.0"):
        assert remedy in refused.value.details()
    with Client(server.grpc, model_name="digits") as client:
        assert [status.state.name for status in client.status()] == ["AVAILABLE"]


def test_reloads_that_wait_keep_no_large_body_from_being_read_and_no_more_than_some_wait(serve_here, write_version, tmp_path):
    write_version(tmp_path / "digits", 1, 1)
    server = serve_here(tmp_path / "digits", patience=_SECONDS)
    with grpc.insecure_channel(server.grpc) as channel:
        reload = ModelServiceStub(channel).HandleReloadConfigRequest
        # The first waits for a version of `late`, the others for the first: more than a pool of threads would have.
        request = _request(digits=tmp_path / "digits", late=tmp_path / "late")
        calls, done = [reload.future(request, timeout=_SECONDS) for _ in range(_MOST_RELOADS + _TOO_MANY)], queue.SimpleQueue()
        for call in calls:
            call.add_done_callback(done.put)
        refused = [done.get(timeout=_SECONDS) for _ in range(_TOO_MANY)]
        assert {call.code() for call in refused} == {grpc.StatusCode.UNAVAILABLE}
        waiting = [call for call in calls if call not in refused]
        body = json.dumps({"signature_name": "predict_pixels", "instances": [[[[0]] * 28] * 28] * 64}).encode()
        assert len(body) > 64 * 1024  # so that it is read in a thread
        with urllib.request.urlopen(f"http://{server.rest}/v1/models/digits:predict", body, _SECONDS) as answer:
            assert [row["classes"] for row in json.load(answer)["predictions"]] == [1] * 64
        assert not any(call.done() for call in waiting)
        write_version(tmp_path / "late", 1, 2)
        assert {call.code() for call in waiting} == {grpc.StatusCode.OK}


def _request(**base_paths):
    request = ReloadConfigRequest()
    for name, base_path in base_paths.items():
        request.config.model_config_list.config.add(name=name, base_path=str(base_path), model_platform="tensorflow")
    return request
