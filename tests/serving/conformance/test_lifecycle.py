"""A server of this project's own from start to end: it waits for a first version, serves it, and ends in order on SIGTERM."""

import signal

import grpc
import pytest

from tests.serving.conformance.models import write_version
from tests.serving.conformance.own_server import started, still_runs
from tests.serving.conformance.target import eventually, predict_request, refused

pytestmark = pytest.mark.tapeline_only  # started here, whatever else is the target


def test_an_empty_base_path_waits_for_a_version_and_sigterm_ends_the_server(tmp_path):
    base_path = tmp_path / "late"
    base_path.mkdir()
    request = predict_request("late", {"x": [1.0]})
    with started(tmp_path, {"model_name": "late", "model_base_path": base_path}) as (target, server):

        def is_up():
            return still_runs(tmp_path, server) and _code(target, request) != "UNAVAILABLE"

        eventually(is_up, 60)
        assert refused(target.predict, request) == ("NOT_FOUND", "Servable not found for request: Latest(late)")
        write_version(base_path, 3)
        eventually(lambda: still_runs(tmp_path, server) and _code(target, request) == "OK")
        assert target.version("late") == 3
        server.send_signal(signal.SIGTERM)
        assert server.wait(15) == 0
        assert _code(target, request) == "UNAVAILABLE"


def _code(target, request):
    try:
        target.predict(request)
    except grpc.RpcError as error:
        return error.code().name
    return "OK"
