"""What the operator reads while the server runs: one line an event. What serves goes to stdout, what needs attention to stderr."""

import sys
import time
from pathlib import Path

from serving.server.served_model import Event, ServedModel
from serving.server.version_folders import find_versions, hint
from serving.terminal import say


class Narrator:
    """Tells of one model. Until `opened` is called nothing is said to serve, because no port answers yet."""

    def __init__(self, name: str, base_path: Path, grpc_address: str, rest_address: str) -> None:
        self._name, self._base_path = name, base_path
        self._where = f"gRPC {grpc_address}, REST http://{rest_address}/v1/models/{name}"
        self._open = False
        self._serving: int | None = None
        self._waiting_for = ""

    def tell(self, event: Event) -> None:
        """One thing that happened to a version."""
        if event.kind == "available":
            self._available(event.version)
        elif event.kind == "failed":
            self._failed(event)
        elif event.version == self._serving:
            self._serving = None
            say(f"{self._name} version {event.version} is unloaded, no version is left", sys.stderr)

    def opened(self) -> None:
        """The ports answer from now on."""
        self._open = True
        if self._serving is not None:
            self._say_serves()

    def waits(self, model: ServedModel) -> None:
        """Says what an empty base path lacks; once, until the reason is another."""
        reason = hint(self._base_path) if self._serving is None and not _has_versions(model.base_path) else ""
        if reason and reason != self._waiting_for:
            say(f"Waiting for a version of {self._name} in {self._base_path}: {reason}", sys.stderr)
        self._waiting_for = reason

    def _available(self, version: int) -> None:
        first, self._serving = self._serving is None, version
        if self._open and first:
            self._say_serves()
        elif self._open:
            say(f"{time.strftime('%H:%M:%S')}  {self._name} version {version} serves now")

    def _say_serves(self) -> None:
        say(f"{self._name} version {self._serving} serves: {self._where}")

    def _failed(self, event: Event) -> None:
        meanwhile = f"version {self._serving} goes on serving, " if self._serving is not None else ""
        say(f"{self._name} version {event.version} cannot be loaded, {meanwhile}it is tried again: {_short(event.message)}", sys.stderr)


def _short(message: str) -> str:
    return message if len(message) <= 200 else message[:200] + " ..."


def _has_versions(base_path: Path) -> bool:
    try:
        return bool(find_versions(base_path))
    except OSError:
        return False
