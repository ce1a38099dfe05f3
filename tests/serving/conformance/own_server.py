"""This project's server in a process of its own, on the suite's models: what the suite and the fuzzer ask when no other is named."""

import contextlib
import resource
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import grpc
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from tests.serving.conformance.models import models_config, write_models
from tests.serving.conformance.target import Target, eventually

_ROOT = Path(__file__).parents[3]
_AVAILABLE = 30
_START_SECONDS = 90.0  # TensorFlow's import and a dozen models, on a busy machine


@contextlib.contextmanager
def own_server(folder: Path, descriptors: int | None = None) -> Iterator[tuple[Target, subprocess.Popen]]:
    """Writes the models into `folder`, starts the server on them, with so many descriptors at most, and ends it afterwards."""
    flags = {
        "model_config_file": write_models(folder),
        "monitoring_config_file": folder / "monitoring.config",
        "allow_version_labels_for_unavailable_models": "true",
        "enable_batching": "true",  # so that many callers share batches of models that do not say that they may
    }
    with started(folder, flags, descriptors) as (target, server):
        wait_for_models(target, models_config(folder), lambda: still_runs(folder, server))
        yield target, server


@contextlib.contextmanager
def started(folder: Path, flags: Mapping[str, object], descriptors: int | None = None) -> Iterator[tuple[Target, subprocess.Popen]]:
    """`python -m serving.server` with these flags and free ports; what it says goes to `folder`/server.log."""
    port, rest_port = _free_ports(2)
    flags = {"port": port, "rest_api_port": rest_port, "file_system_poll_wait_seconds": 1, **flags}
    command = [sys.executable, "-m", "serving.server", *(f"--{name}={value}" for name, value in flags.items())]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(command, cwd=_ROOT, stdout=log, stderr=log)
    if descriptors:
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (descriptors, descriptors))
    target = Target(f"127.0.0.1:{port}", f"127.0.0.1:{rest_port}", folder)
    try:
        yield target, server
    finally:
        target.channel.close()
        server.terminate()
        server.wait(30)


def still_runs(folder: Path, server: subprocess.Popen) -> bool:
    """True; an AssertionError with what the server said if it has ended."""
    assert server.poll() is None, f"The server ended with {server.returncode}: {(folder / 'server.log').read_text()[-3000:]}"
    return True


def wait_for_models(target: Target, config: ModelServerConfig, check: Callable[[], object] = lambda: None) -> None:
    """Returns once every model in `config` has an available version; `check` may raise meanwhile."""
    for model in config.model_config_list.config:

        def is_available(name: str = model.name) -> bool:
            check()
            try:
                return _AVAILABLE in target.states(name).values()
            except grpc.RpcError as error:
                assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND), error
                return False

        eventually(is_available, _START_SECONDS)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as holders:
        sockets = [holders.enter_context(socket.socket()) for _ in range(count)]
        for holder in sockets:
            holder.bind(("127.0.0.1", 0))
        return [holder.getsockname()[1] for holder in sockets]
