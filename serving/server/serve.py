"""Wires the server and runs it until it is told to end.

take the ports -> load TensorFlow -> load the models -> answer, and follow base paths and config file -> SIGTERM or SIGINT -> drain

What brings TensorFlow is imported inside the functions, after the ports are taken.
"""

import argparse
import contextlib
import functools
import gc
import logging
import os
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import grpc

from serving.server.batching_parameters import BatchingParameters
from serving.server.descriptors import connections_per_port, raise_limit
from serving.server.drain import Door
from serving.server.event_loop import EventLoop
from serving.server.grpc_connections import LOOK_FOR_STALLED_SECONDS, LOOK_SECONDS, STALLED_SECONDS, end_stalled, make_room
from serving.server.ports import GrpcLimits, address, bind_grpc, bind_rest
from serving.server.prometheus import CONTENT_TYPE
from serving.server.quiet import silence_tensorflow
from serving.server.reload_requests import refusal
from serving.server.rest_limits import RestLimits
from serving.server.shutdown import Shutdown
from serving.terminal import say

if TYPE_CHECKING:
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    from serving.server.grpc_transport import Observers
    from serving.server.metrics import Metrics
    from serving.server.models import Models
    from serving.server.narrator import Narrator
    from serving.server.request_log import RequestLog

_log = logging.getLogger(__name__)

GRACE_SECONDS = 10.0
_COLLECT_AFTER = 50_000  # new objects, instead of Python's 700


def serve(flags: argparse.Namespace) -> int:
    """Serves `flags.config` until a signal ends it; 0. Raises ServingError."""
    shutdown, door, loop = Shutdown(), Door(), EventLoop()
    connections = connections_per_port(raise_limit())
    grpc_limits = GrpcLimits(flags.grpc_max_message_bytes, connections, flags.grpc_channel_arguments)
    binding = bind_grpc(flags.bind_address, flags.port, socket_path=flags.grpc_socket_path, tls=flags.tls, limits=grpc_limits)
    grpc_server, grpc_port = loop.run(binding)
    listener = None if flags.rest_api_port is None else bind_rest(flags.bind_address, flags.rest_api_port)
    say(f"Loading TensorFlow, then {_what(flags)}", sys.stderr)
    _prepare_logs(verbose=flags.verbose)
    _settle_keras()
    from serving.server.grpc_transport import Observers  # here, because these bring TensorFlow
    from serving.server.metrics import Metrics

    socket_address = f"unix:{flags.grpc_socket_path}" if flags.grpc_socket_path else ""
    where = (
        socket_address if grpc_port is None else address(flags.bind_address, grpc_port),
        address(flags.bind_address, listener.getsockname()[1]) if listener else "",
    )
    metrics = Metrics(lambda: models.served(), lambda: door.inside)
    log = _request_log(flags, metrics)
    narrator, models = _load(flags, metrics, *where)
    shutdown.serving()
    _keep_what_is_loaded()
    limits = RestLimits(
        flags.rest_api_max_body_bytes,
        answer_seconds=flags.rest_api_timeout_in_ms / 1000 or None,
        connections=connections,
        hosts=flags.rest_api_allowed_hosts,
    )
    observers = Observers(metrics, door, log, flags.grpc_max_threads)
    stop = loop.run(_answer(flags, models, observers, metrics, grpc_server, listener, limits))
    narrator.opened()
    callers = observers.grpc_callers
    _repeat(lambda: make_room(grpc_port, connections, callers), LOOK_SECONDS, shutdown, lambda error: None)
    _repeat(lambda: end_stalled(grpc_port, STALLED_SECONDS, callers), LOOK_FOR_STALLED_SECONDS, shutdown, lambda error: None)
    _follow(flags, narrator, models, log, shutdown)
    shutdown.wait()
    door.close()
    loop.run(door.wait(GRACE_SECONDS))
    loop.run(stop())
    log.close()
    return 0


def _what(flags: argparse.Namespace) -> str:
    if flags.model_config_file:
        return f"the models of {flags.model_config_file}"
    return f"{flags.model_name} from {flags.model_base_path.expanduser().absolute()}"


def _prepare_logs(*, verbose: bool) -> None:
    logging.basicConfig(level=logging.DEBUG if verbose else logging.CRITICAL)
    if not verbose:
        silence_tensorflow()


def _settle_keras() -> None:
    """TensorFlow imports Keras, which would end the server for a backend that it does not have, and write into the home folder."""
    for name in [name for name in os.environ if name.startswith("KERAS_")]:
        del os.environ[name]
    os.environ.update(KERAS_BACKEND="tensorflow", KERAS_HOME=os.devnull, TF_USE_LEGACY_KERAS="0")


def _load(flags: argparse.Namespace, metrics: "Metrics", grpc_address: str, rest_address: str) -> tuple["Narrator", "Models"]:
    """The models, with the versions that are there already."""
    from serving.server.models import Models
    from serving.server.narrator import Narrator
    from serving.server.saved_model import SavedModel
    from serving.server.served_model import Retries
    from serving.server.warmup import no_warm_up, warm_up

    option = "base_path:" if flags.model_config_file else "--model_base_path"
    narrator = Narrator(grpc_address, rest_address, option, takes_reloads=bool(grpc_address) and not _reload_refusal(flags))
    load = functools.partial(
        SavedModel,
        intra_op_parallelism=flags.tensorflow_intra_op_parallelism or flags.tensorflow_session_parallelism,
        batching=flags.enable_batching,
        tags=flags.saved_model_tags,
    )
    warm = (
        functools.partial(warm_up, iterations=max(1, flags.num_request_iterations_for_warmup)) if flags.enable_model_warmup else no_warm_up
    )
    models = Models(
        load=metrics.loading(load),
        warm_up=metrics.warming_up(warm),
        report=narrator.tell,
        retries=Retries(flags.max_num_load_retries, flags.load_retry_interval_micros / 1e6),
        allow_version_labels_for_unavailable_models=flags.allow_version_labels_for_unavailable_models,
        force_allow_any_version_labels_for_unavailable_models=flags.force_allow_any_version_labels_for_unavailable_models,
    )
    models.start(flags.config)
    _look(narrator, models)
    return narrator, models


def _request_log(flags: argparse.Namespace, metrics: "Metrics") -> "RequestLog":
    """What the flags and the models' config ask for, perhaps nothing until that config is edited. Raises ServingError."""
    from serving.server.logging_config import read_logging_configs
    from serving.server.record_files import Rotation
    from serving.server.request_log import RequestLog, Sampling

    folder = flags.request_log_dir
    models = read_logging_configs(flags.config, folder)
    default = Sampling(flags.request_log_sampling_rate, folder / "requests") if folder else None
    rotation = Rotation(max_bytes=flags.request_log_max_file_bytes, max_files=flags.request_log_max_files)
    return RequestLog(default, rotation, models=models, watch=metrics.logged)


def _look(narrator: "Narrator", models: "Models") -> None:
    models.poll()
    narrator.waits(models.served())


def _keep_what_is_loaded() -> None:
    """TensorFlow's million objects live as long as the server: looking through them for garbage would take a sixth of its time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 10, 10)


async def _answer(
    flags: argparse.Namespace,
    models: "Models",
    observers: "Observers",
    metrics: "Metrics",
    grpc_server: grpc.aio.Server,
    listener: socket.socket | None,
    limits: RestLimits,
) -> Callable[[], Awaitable[None]]:
    """Both ports answer from now on. Returns what ends what must not be cut off."""
    from serving.server.answering import answer_on

    parameters = flags.batching_parameters or BatchingParameters()
    pages = {flags.monitoring.path: lambda: (CONTENT_TYPE, metrics.page())} if flags.monitoring.enable else {}
    return await answer_on(grpc_server, listener, models, observers, parameters, metrics, pages, _reload_refusal(flags), limits)


def _reload_refusal(flags: argparse.Namespace) -> str:
    return refusal(allowed=flags.allow_reload_requests, bind_address=flags.bind_address)


def _follow(flags: argparse.Namespace, narrator: "Narrator", models: "Models", log: "RequestLog", shutdown: Shutdown) -> None:
    """Keeps looking for new versions, and for edits of the config file."""
    from serving.server.config_file import ConfigFile
    from serving.server.logging_config import read_logging_configs

    def logged_so(config: "ModelServerConfig") -> contextlib.AbstractContextManager[None]:
        return log.updated(read_logging_configs(config, flags.request_log_dir))

    look = functools.partial(_look, narrator, models)
    _repeat(look, flags.file_system_poll_wait_seconds, shutdown, narrator.look_failed)
    if flags.model_config_file:
        file = ConfigFile(flags.model_config_file, models, narrator.refused, logged_so)
        _repeat(file.poll, flags.model_config_file_poll_wait_seconds, shutdown, narrator.look_failed)


def _repeat(look: Callable[[], None], seconds: float, shutdown: Shutdown, tell: Callable[[Exception], None]) -> None:
    """Looks again every so many seconds, in a thread of its own, because loading may take long; 0 seconds: never again."""

    def loop() -> None:
        while not shutdown.asked.wait(seconds):
            try:
                look()
            except Exception as error:  # noqa: BLE001 - a folder that goes away while it is read must not end the following
                _log.debug("The look failed.", exc_info=True)
                tell(error)

    if seconds:
        threading.Thread(target=loop, name="follow", daemon=True).start()
