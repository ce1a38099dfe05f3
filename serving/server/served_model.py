"""One model's versions, as the server has them: loaded, leased to requests, replaced and freed.

poll():  look at the version folders -> load the newest -> then let the others go
lease(version):  the version that serves, held until the request is answered; the last one out of a version that is going frees it
"""

import contextlib
import enum
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from serving.errors import NotFoundError
from serving.server.saved_model import SavedModel
from serving.server.version_folders import find_versions, fingerprint

_LONGEST_RETRY_WAIT = 60.0  # seconds


class State(enum.IntEnum):
    """ModelVersionStatus.State of TensorFlow Serving's API."""

    UNKNOWN = 0
    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(frozen=True)
class VersionStatus:
    """What GetModelStatus says of one version; `error_message` is empty unless loading failed (then `error_code` is not OK)."""

    version: int
    state: State
    error_code: str = "OK"
    error_message: str = ""


@dataclass(frozen=True)
class Event:
    """Something the operator wants to read: a version is `available`, `failed` to load (with the reason), or was `unloaded`."""

    kind: str
    version: int
    message: str = ""


class _Version:
    """One version that was seen: its state, its model while it has one, how many requests hold it, and when to try again."""

    def __init__(self, number: int) -> None:
        self.status = VersionStatus(number, State.START)
        self.model: SavedModel | None = None
        self.leases = 0
        self.failures = 0
        self.failed_at = 0.0
        self.failed_on: frozenset = frozenset()


class ServedModel:
    """The newest version below a base path, always. `poll` is for one thread, everything else for many."""

    def __init__(
        self,
        name: str,
        base_path: Path,
        *,
        load: Callable[[Path], SavedModel] = SavedModel,
        report: Callable[[Event], None] = lambda event: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.base_path = base_path
        self._load, self._report, self._clock = load, report, clock
        self._lock = threading.Lock()
        self._versions: dict[int, _Version] = {}

    @contextlib.contextmanager
    def lease(self, version: int | None = None) -> Iterator[tuple[int, SavedModel]]:
        """(version, model): the one asked for, or the newest available. Raises NotFoundError."""
        with self._lock:
            number = self._pick(version)
            held = self._versions[number]
            held.leases += 1
        try:
            yield number, held.model
        finally:
            with self._lock:
                held.leases -= 1
            self._free_if_idle(held)

    def statuses(self, version: int | None = None) -> list[VersionStatus]:
        """Of all versions ever seen, newest first, or of the one asked for. Raises NotFoundError."""
        with self._lock:
            seen = {number: held.status for number, held in self._versions.items()}
        if not seen:
            raise NotFoundError(f"Could not find any versions of model {self.name}")
        if version is None:
            return [seen[number] for number in sorted(seen, reverse=True)]
        if version not in seen:
            raise NotFoundError(f"Could not find version {version} of model {self.name}")
        return [seen[version]]

    def poll(self) -> None:
        """One look at the base path. A path that cannot be read keeps what is loaded; no versions in it unload the last one."""
        try:
            folders = find_versions(self.base_path)
        except OSError:
            return
        wanted = max(folders, default=None)
        if wanted is not None and not self._is_available(wanted) and not self._try_load(wanted, folders[wanted]):
            return
        for number in self._available():
            if number != wanted:
                self._unload(number)

    def _pick(self, version: int | None) -> int:
        available = self._available_unlocked()
        if version is None and not available:
            raise NotFoundError(f"Servable not found for request: Latest({self.name})")
        if version is not None and version not in available:
            raise NotFoundError(f"Servable not found for request: Specific({self.name}, {version})")
        return max(available) if version is None else version

    def _try_load(self, number: int, folder: Path) -> bool:
        with self._lock:
            held = self._versions.setdefault(number, _Version(number))
        files = fingerprint(folder)
        if not self._is_due(held, files):
            return False
        held.status = VersionStatus(number, State.LOADING)
        try:
            model = self._load(folder)
        except Exception as error:  # noqa: BLE001 - TensorFlow raises a dozen types for a damaged folder, and none may stop the server
            self._note_failure(held, files, error)
            return False
        with self._lock:
            held.model, held.failures = model, 0
            held.status = VersionStatus(number, State.AVAILABLE)
        self._report(Event("available", number))
        return True

    def _is_due(self, held: _Version, files: frozenset) -> bool:
        """Try at once when files have changed since the failure (a copy goes on), else after 1, 2, 4 ... 60 seconds."""
        if held.failures == 0 or files != held.failed_on:
            return True
        return self._clock() - held.failed_at >= min(2.0 ** (held.failures - 1), _LONGEST_RETRY_WAIT)

    def _note_failure(self, held: _Version, files: frozenset, error: Exception) -> None:
        message = " ".join(str(error).split()) or type(error).__name__
        is_news = held.failures == 0 or (message != held.status.error_message and files != held.failed_on)
        held.failures, held.failed_at, held.failed_on = held.failures + 1, self._clock(), files
        held.status = VersionStatus(held.status.version, State.END, "UNKNOWN", message)
        if is_news:
            self._report(Event("failed", held.status.version, message))

    def _unload(self, number: int) -> None:
        with self._lock:
            held = self._versions[number]
            held.status = VersionStatus(number, State.UNLOADING)
        self._free_if_idle(held)

    def _free_if_idle(self, held: _Version) -> None:
        with self._lock:
            if held.status.state != State.UNLOADING or held.leases or held.model is None:
                return
            model, held.model = held.model, None
        model.close()
        held.status = VersionStatus(held.status.version, State.END)
        self._report(Event("unloaded", held.status.version))

    def _is_available(self, number: int) -> bool:
        return number in self._available()

    def _available(self) -> list[int]:
        with self._lock:
            return self._available_unlocked()

    def _available_unlocked(self) -> list[int]:
        return [number for number, held in self._versions.items() if held.status.state == State.AVAILABLE]
