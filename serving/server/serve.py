"""Wires the server and runs it until it is told to end.

take the ports -> load TensorFlow -> load the newest version -> answer, and follow the base path -> SIGTERM or SIGINT -> drain
"""

import argparse
import functools
import logging
import sys
import threading
import time
from collections.abc import Callable

import grpc

from serving.server.ports import bind_grpc, bind_rest
from serving.server.quiet import silence_tensorflow
from serving.server.rest_server import RestServer
from serving.server.shutdown import Shutdown
from serving.terminal import say

_log = logging.getLogger(__name__)

GRACE_SECONDS = 10.0


def serve(flags: argparse.Namespace) -> int:
    """Serves `flags.model_name` until a signal ends it; 0. Raises StartError."""
    shutdown = Shutdown()
    grpc_server, grpc_port = bind_grpc(flags.bind_address, flags.port, flags.grpc_max_threads)
    rest_server = bind_rest(flags.bind_address, flags.rest_api_port)
    base_path = flags.model_base_path.expanduser().absolute()
    say(f"Loading TensorFlow, then {flags.model_name} from {base_path}", sys.stderr)
    _prepare_logs(verbose=flags.verbose)

    from serving.server.data_plane import DataPlane  # here, because these bring TensorFlow
    from serving.server.grpc_transport import services
    from serving.server.narrator import Narrator
    from serving.server.rest_transport import answer
    from serving.server.served_model import ServedModel

    host = flags.bind_address
    narrator = Narrator(flags.model_name, base_path, f"{host}:{grpc_port}", f"{host}:{rest_server.server_port}")
    model = ServedModel(flags.model_name, base_path, report=narrator.tell)
    plane = DataPlane({flags.model_name: model})

    def look() -> None:
        model.poll()
        narrator.waits(model)

    look()
    shutdown.serving()
    grpc_server.add_generic_rpc_handlers(services(plane))
    grpc_server.start()
    rest_server.start(functools.partial(answer, plane))
    narrator.opened()
    _follow(look, flags.file_system_poll_wait_seconds, shutdown)
    shutdown.wait()
    _drain(grpc_server, rest_server)
    return 0


def _prepare_logs(*, verbose: bool) -> None:
    logging.basicConfig(level=logging.DEBUG if verbose else logging.CRITICAL)
    if not verbose:
        silence_tensorflow()


def _follow(look: Callable[[], None], seconds: float, shutdown: Shutdown) -> None:
    """Looks again every so many seconds, in a thread of its own, because loading may take long; 0 seconds: never again."""

    def loop() -> None:
        while not shutdown.asked.wait(seconds):
            try:
                look()
            except Exception:  # noqa: BLE001 - a folder that goes away while it is read must not end the following
                _log.debug("The base path could not be looked at.", exc_info=True)

    if seconds:
        threading.Thread(target=loop, name="follow", daemon=True).start()


def _drain(grpc_server: grpc.Server, rest_server: RestServer) -> None:
    """Refuses new requests on both ports at once, and waits for those in flight."""
    deadline = time.monotonic() + GRACE_SECONDS
    grpc_stopped = grpc_server.stop(GRACE_SECONDS)
    rest_server.stop(GRACE_SECONDS)
    grpc_stopped.wait(max(0.0, deadline - time.monotonic()) + 1.0)
