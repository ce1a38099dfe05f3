"""MLServer, BentoML and a FastAPI service under way, each out of its own environment, serving the pushed model.

settings into a folder of its own -> start -> wait until it is ready -> its targets
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.serving import inputs
from benchmarks.serving.target import Target, grpc_target, http_target
from benchmarks.serving.worker import ENVIRONMENT

_CODE = Path(__file__).parent / "competitors"
_START_SECONDS = 120
_END_SECONDS = 20
_LOOPBACK = "127.0.0.1"


class CompetitorFailed(Exception):
    """A competitor that ended, or was not ready in time; with the end of what it said."""


@dataclass(frozen=True)
class _Competitor:
    """How one is started and asked: `command` and `files` for the ports it is given, the path that tells it is ready, its targets."""

    ports: int
    command: Callable[[Path, Sequence[int]], list[str]]
    ready: str
    targets: Callable[[Path, Sequence[int]], list[Target]]
    files: Callable[[Sequence[int]], dict[str, dict]] = field(default=lambda ports: {})


def _fastapi_command(binaries: Path, ports: Sequence[int]) -> list[str]:
    flags = ["--host", _LOOPBACK, "--port", str(ports[0]), "--log-level", "warning", "--no-access-log"]
    return [str(binaries / "uvicorn"), "fastapi_service:app", *flags]


def _fastapi_targets(binaries: Path, ports: Sequence[int]) -> list[Target]:
    return [http_target("FastAPI", f"{_LOOPBACK}:{ports[0]}", "/predict", {"instances": inputs.pixels(1).tolist()})]


def _bentoml_command(binaries: Path, ports: Sequence[int]) -> list[str]:
    return [str(binaries / "bentoml"), "serve", "bentoml_service:Mnist", "--host", _LOOPBACK, "--port", str(ports[0])]


def _bentoml_targets(binaries: Path, ports: Sequence[int]) -> list[Target]:
    return [http_target("BentoML", f"{_LOOPBACK}:{ports[0]}", "/predict", {"instances": inputs.pixels(1).tolist()})]


def _mlserver_command(binaries: Path, ports: Sequence[int]) -> list[str]:
    return [str(binaries / "mlserver"), "start", "."]


def _mlserver_files(ports: Sequence[int]) -> dict[str, dict]:
    """One process: a second for the model, MLServer's default, was slower here, as is its batching, which it leaves off."""
    http_port, grpc_port, metrics_port = ports
    addresses = {"host": _LOOPBACK, "http_port": http_port, "grpc_port": grpc_port, "metrics_port": metrics_port}
    model = {"name": "mnist", "implementation": "mlserver_runtime.SavedModelRuntime"}
    return {"settings.json": {**addresses, "debug": False, "parallel_workers": 0}, "model-settings.json": model}


def _mlserver_targets(binaries: Path, ports: Sequence[int]) -> list[Target]:
    pixels = inputs.pixels(1)
    data = {"name": "pixels", "shape": list(pixels.shape), "datatype": "UINT8", "data": pixels.ravel().tolist()}
    request = subprocess.run(
        [binaries / "python", _CODE / "mlserver_request.py"], input=pixels.tobytes(), stdout=subprocess.PIPE, check=True
    )
    return [
        http_target("MLServer REST", f"{_LOOPBACK}:{ports[0]}", "/v2/models/mnist/infer", {"inputs": [data]}),
        grpc_target("MLServer gRPC", f"{_LOOPBACK}:{ports[1]}", "/inference.GRPCInferenceService/ModelInfer", request.stdout),
    ]


_COMPETITORS = {
    "mlserver": _Competitor(3, _mlserver_command, "/v2/health/ready", _mlserver_targets, _mlserver_files),
    "bentoml": _Competitor(1, _bentoml_command, "/readyz", _bentoml_targets),
    "fastapi": _Competitor(1, _fastapi_command, "/ready", _fastapi_targets),
}
NAMES = tuple(_COMPETITORS)


@contextlib.contextmanager
def running(name: str, binaries: Path, version_folder: Path, folder: Path) -> Iterator[list[Target]]:
    """What to send to the competitor called `name`, which runs out of `binaries` in `folder` meanwhile.

    Raises:
      CompetitorFailed: it did not become ready.
    """
    competitor, ports = _COMPETITORS[name], _free_ports(_COMPETITORS[name].ports)
    folder.mkdir()
    for file, content in competitor.files(ports).items():
        (folder / file).write_text(json.dumps(content))
    environment = {**os.environ, **ENVIRONMENT, "SAVED_MODEL": str(version_folder), "PYTHONPATH": str(_CODE)}
    environment |= {"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(folder / "home"), "PATH": f"{binaries}:{os.environ['PATH']}"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            competitor.command(binaries, ports),
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait(process, f"http://{_LOOPBACK}:{ports[0]}{competitor.ready}", folder / "log")
            yield competitor.targets(binaries, ports)
        finally:
            _end(process)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        holders = [stack.enter_context(socket.socket()) for _ in range(count)]
        for holder in holders:
            holder.bind((_LOOPBACK, 0))
        return [holder.getsockname()[1] for holder in holders]


def _wait(process: subprocess.Popen, url: str, log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError), opener.open(url, timeout=5):
            return
        time.sleep(0.2)
    said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    raise CompetitorFailed(f"Expected an answer of {url} within {_START_SECONDS} seconds. The server said:\n{said}")


def _end(process: subprocess.Popen) -> None:
    """Ends the whole group: these servers have children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
