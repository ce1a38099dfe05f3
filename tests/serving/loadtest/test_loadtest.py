"""`tapeline loadtest`: requests by the clock, waiting counted, every request accounted for."""

import html.parser
import json
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from serving import prediction_pb2 as pb
from serving.loadtest.__main__ import is_loopback, main
from serving.loadtest.run import Result, grey_png
from serving.loadtest.schedule import due_times
from serving.loadtest.summary import Summary


@pytest.fixture
def run(served, capsys):
    """Called with arguments it gives (exit status, stdout, stderr) against the server of this process."""

    def call(*arguments, server=None):
        status = main([*map(str, arguments), "--model_name", "digits", "--server", server or served.grpc])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def test_constant_arrivals_are_evenly_spaced_and_random_ones_have_the_rate():
    assert due_times(4, 1, "constant", 0).tolist() == [0, 0.25, 0.5, 0.75]
    times = due_times(1000, 10, "poisson", 1)
    assert abs(len(times) - 10_000) < 500
    assert np.all(np.diff(times) > 0)
    assert times[-1] < 10
    assert np.array_equal(times, due_times(1000, 10, "poisson", 1))


def test_every_request_is_accounted_for_and_the_page_has_the_figures(run, tmp_path):
    page = tmp_path / "load.html"
    status, out, _ = run("--rate", 100, "--duration", 1, "--warmup", 0.1, "--arrivals", "constant", "--json", "--output", page)
    summary = json.loads(out)
    assert (status, summary["sent"], summary["answered"], summary["codes"]) == (0, 100, 100, {"OK": 100})
    assert set(summary["latencies_ms"]) == {"p50", "p90", "p99", "p99.9", "max"}
    text = page.read_text()
    html.parser.HTMLParser().feed(text)
    assert f"{summary['latencies_ms']['p99']:,.2f} ms" in text
    assert text.count("<svg") == 2
    assert "http://" not in text
    assert "https://" not in text
    assert list(tmp_path.iterdir()) == [page]


def test_a_page_that_would_take_the_place_of_a_pipe_is_refused_before_anything_is_sent(run, tmp_path):
    os.mkfifo(tmp_path / "load.html")
    status, out, err = run("--rate", 100, "--duration", 1, "--output", tmp_path / "load.html")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert f"{tmp_path}/load.html: expected a file that can be written. It is no regular file." in err
    assert (tmp_path / "load.html").is_fifo()


class Stalls:
    """Predict, which answers at once until it is told to stall: then all wait until the stall is over."""

    def __init__(self):
        self.flowing = threading.Event()
        self.flowing.set()
        self.asked = 0
        handlers = {
            "Predict": grpc.unary_unary_rpc_method_handler(self._predict),
            "GetModelMetadata": grpc.unary_unary_rpc_method_handler(self._metadata),
        }
        self._server = grpc.server(ThreadPoolExecutor(128))
        self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", handlers)])
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def _predict(self, body, context):
        self.asked += 1
        if self.asked == 20:
            self.flowing.clear()
            threading.Timer(0.5, self.flowing.set).start()
        self.flowing.wait(20)
        return pb.PredictResponse(model_spec=pb.ModelSpec(name="m")).SerializeToString()

    def _metadata(self, body, context):
        signatures = pb.SignatureDefMap()
        signatures.signature_def["serving_default"].inputs["x"].dtype = 1
        signatures.signature_def["serving_default"].inputs["x"].tensor_shape.dim.add(size=-1)
        response = pb.GetModelMetadataResponse()
        response.metadata["signature_def"].value = signatures.SerializeToString()
        return response.SerializeToString()

    def __enter__(self):
        self._server.start()
        return self

    def __exit__(self, *args):
        self._server.stop(0).wait()


def test_what_waits_during_a_stall_is_counted(run):
    """Half a second without answers at 100 a second: some fifty requests waited, and not only the one that was under way."""
    with Stalls() as server:
        status, out, _ = run("--rate", 100, "--duration", 1, "--warmup", 0, "--arrivals", "constant", "--json", server=server.address)
    summary = json.loads(out)
    assert (status, summary["answered"]) == (0, 100)
    assert summary["latencies_ms"]["p90"] > 200


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_a_load_without_a_traceback(run):
    class Interrupts(Stalls):
        def _predict(self, body, context):
            self.asked += 1
            if self.asked == 5:
                os.kill(os.getpid(), signal.SIGINT)
            return pb.PredictResponse(model_spec=pb.ModelSpec(name="m")).SerializeToString()

    with Interrupts() as server:
        status, out, err = run("--rate", 100, "--duration", 600, "--warmup", 0, server=server.address)
    assert (status, out, err) == (130, "", "")


def test_errors_are_counted_by_code():
    codes = ["OK", "OK", "UNAVAILABLE"]
    result = Result(np.arange(3.0), np.arange(3.0), np.array([0.001, 0.003, 9.0]), codes, 3.0, "m", 1.0)
    summary = Summary.of(result)
    assert (summary.sent, summary.answered, summary.codes) == (3, 2, {"OK": 2, "UNAVAILABLE": 1})
    assert summary.latencies_ms["max"] == 3.0
    assert "errors      UNAVAILABLE 1" in summary.text()


@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.1:8500", True), ("localhost:1", True), ("[::1]:1", True), ("8.8.8.8:1", False), ("0.0.0.0:1", False)],
)
def test_loopback_is_told_from_other_hosts(address, expected):
    assert is_loopback(address) == expected


def test_other_hosts_are_refused_unless_told(run):
    status, out, err = run("--rate", 10, server="192.0.2.1:8500")
    assert (status, out) == (2, "")
    assert err.startswith("tapeline loadtest: 192.0.2.1:8500 is not this machine")
    assert err.count("\n") == 1


def test_an_unreachable_server_is_one_line_and_exit_1(run, free_port):
    status, _, err = run("--rate", 10, server=f"127.0.0.1:{free_port}")
    assert status == 1
    assert err.startswith(f"tapeline loadtest: No server answers at 127.0.0.1:{free_port}.")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [("--rate", "0"), ("--rate", "x"), ("--rate", "1", "--duration", "-1"), ("--rate", "1", "--batch_size", "0")]
)
def test_wrong_flags_are_exit_2(run, arguments):
    assert run(*arguments)[0] == 2


def test_the_made_image_is_a_png():
    import io

    from PIL import Image

    with Image.open(io.BytesIO(grey_png(28))) as image:
        assert (image.size, image.mode, image.getpixel((3, 3))) == ((28, 28), "L", 128)
