"""What the operator reads while the server runs: one line an event. What serves goes to stdout, what needs attention to stderr."""

import contextlib
import sys
import time
from collections.abc import Sequence
from typing import TextIO

from serving.server.served_model import ServedModel
from serving.server.version_folders import find_versions, hint
from serving.server.version_status import Event
from serving.terminal import say


class Narrator:
    """Tells of all models. Until `opened` is called nothing is said to serve, because no port answers yet.

    An address is empty where there is no such port.

    `option` is where the operator writes a base path; `takes_reloads`: whether callers may list models.
    """

    def __init__(self, grpc_address: str, rest_address: str, option: str = "--model_base_path", *, takes_reloads: bool = True) -> None:
        self._grpc_address, self._rest_address = grpc_address, rest_address
        self._option, self._takes_reloads = option, takes_reloads
        self._open = False
        self._serving: dict[str, set[int]] = {}
        self._waiting_for: dict[str, str] = {}
        self._look_failed_with = ""

    def tell(self, event: Event) -> None:
        """One thing that happened to a version."""
        serving = self._serving.setdefault(event.model, set())
        if event.kind == "available":
            self._available(event, is_first=not serving)
            serving.add(event.version)
        elif event.kind == "failed":
            self._failed(event, serving)
        elif event.kind == "warmup":
            _say(f"{event.model} version {event.version} serves all the same: {_short(event.message)}", sys.stderr)
        elif event.version in serving:
            serving.remove(event.version)
            if not serving:
                _say(f"{event.model} version {event.version} is unloaded, no version is left", sys.stderr)

    def refused(self, problem: str) -> None:
        """An edit of the config file that cannot be served."""
        _say(f"The models stay as they are: {_short(problem)}", sys.stderr)

    def look_failed(self, error: Exception) -> None:
        """A look for new versions, or at the config file, that ended in what nobody foresaw; said once, until it is another."""
        problem = f"{type(error).__name__}: {error}"
        if problem != self._look_failed_with:
            self._look_failed_with = problem
            _say(f"A look at the models' files failed, it is tried again: {_short(problem)}", sys.stderr)

    def opened(self) -> None:
        """The ports answer from now on."""
        self._open = True
        for name, versions in self._serving.items():
            for version in sorted(versions):
                self._say_serves(name, version)

    def waits(self, models: Sequence[ServedModel]) -> None:
        """Says what an empty base path lacks; once, until the reason is another."""
        if not models and not self._waiting_for:
            self._waiting_for[""] = "no model"
            awaited = f"gRPC {self._grpc_address} waits for a HandleReloadConfigRequest" if self._takes_reloads else "list one in the file"
            _say(f"No model is listed yet; {awaited}", sys.stderr)
        for model in models:
            reason = hint(model.base_path, self._option) if not self._serving.get(model.name) and not _has_versions(model) else ""
            if reason and reason != self._waiting_for.get(model.name):
                _say(f"Waiting for a version of {model.name} in {model.base_path}: {reason}", sys.stderr)
            self._waiting_for[model.name] = reason

    def _available(self, event: Event, *, is_first: bool) -> None:
        if self._open and is_first:
            self._say_serves(event.model, event.version)
        elif self._open:
            _say(f"{time.strftime('%H:%M:%S')}  {event.model} version {event.version} serves now")

    def _say_serves(self, name: str, version: int) -> None:
        over_grpc = f"gRPC {self._grpc_address}" if self._grpc_address else "no gRPC"
        over_rest = f"REST http://{self._rest_address}/v1/models/{name}" if self._rest_address else "no REST"
        _say(f"{name} version {version} serves: {over_grpc}, {over_rest}")

    def _failed(self, event: Event, serving: set[int]) -> None:
        meanwhile = f"version {max(serving)} goes on serving, " if serving else ""
        _say(f"{event.model} version {event.version} cannot be loaded, {meanwhile}it is tried again: {_short(event.message)}", sys.stderr)


def _say(line: str, stream: TextIO | None = None) -> None:
    """Where nobody can read it any more, the server goes on without a word."""
    with contextlib.suppress(OSError):
        say(line, stream)


def _short(message: str) -> str:
    return message if len(message) <= 200 else message[:200] + " ..."


def _has_versions(model: ServedModel) -> bool:
    try:
        return bool(find_versions(model.base_path))
    except OSError:
        return False
