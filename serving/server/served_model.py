"""One model's versions, as the server has them: loaded, leased to requests, replaced and freed.

poll():  look at the version folders -> load and warm up what the policy wants -> only then let the others go
lease(version):  the version that serves, held until the request is answered; the last one out of a version that is going frees it
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tensorflow.core.protobuf import error_codes_pb2

from serving.errors import NotFoundError
from serving.server.model_config import VersionPolicy
from serving.server.saved_model import SavedModel
from serving.server.version_folders import find_versions, fingerprint
from serving.server.version_status import Event, State, VersionStatus


@dataclass(frozen=True)
class Retries:
    """A version that failed is tried again after 1, 2, 4 ... `interval` seconds, `most` times; whenever its files change, all anew."""

    most: int = 5
    interval: float = 60.0

    def due(self, failures: int, waited: float) -> bool:
        """Whether it is time to try once more, `waited` seconds after the last of so many failures."""
        return failures <= self.most and waited >= min(2.0 ** (failures - 1), self.interval)


class _Version:
    """One version that was seen: its state, its model while it has one, how many requests hold it, and when to try again."""

    def __init__(self, number: int) -> None:
        self.status = VersionStatus(number, State.START)
        self.model: SavedModel | None = None
        self.leases = 0
        self.failures = 0
        self.failed_at = 0.0
        self.failed_on: frozenset = frozenset()
        self.failed_with = ""

    @property
    def serves(self) -> bool:
        return self.status.state == State.AVAILABLE

    @property
    def is_idle(self) -> bool:
        """Whether it is going and nobody holds it any more."""
        return self.status.state == State.UNLOADING and not self.leases and self.model is not None


class ServedModel:
    """The versions below a base path that its policies want. Safe to use from many threads."""

    def __init__(
        self,
        name: str,
        base_path: Path,
        policy: VersionPolicy = VersionPolicy(),  # noqa: B008 - it is frozen
        *,
        load: Callable[[Path], SavedModel] = SavedModel,
        warm_up: Callable[[Path, SavedModel], str] = lambda folder, model: "",
        report: Callable[[Event], None] = lambda event: None,
        retries: Retries = Retries(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self.base_path = name, base_path
        self.policies = (policy,)  # two while one takes the other's place: then what any of them wants is served
        self._load, self._warm_up, self._report, self._retries, self._clock = load, warm_up, report, retries, clock
        self._lock = threading.Lock()
        self._polling = threading.Lock()
        self._closed = False
        self._folders: dict[int, Path] = {}
        self._versions: dict[int, _Version] = {}
        self._newest: _Version | None = None

    def lease(self, version: int | None = None) -> "Lease":
        """A context manager that gives (version, model): the one asked for, or the newest available. Raises NotFoundError when entered."""
        return Lease(self, version)

    def statuses(self, version: int | None = None) -> list[VersionStatus]:
        """Of all versions ever seen, newest first, or of the one asked for. Raises NotFoundError."""
        with self._lock:
            seen = {number: held.status for number, held in self._versions.items()}
        if version in seen:
            return [seen[version]]
        if version is not None or not seen:
            raise no_status(self.name, version)
        return [seen[number] for number in sorted(seen, reverse=True)]

    def poll(self) -> None:
        """One look at the base path. A path that cannot be read keeps what is loaded; no versions in it unload the last one."""
        with self._polling:
            try:
                self._folders = find_versions(self.base_path)
            except OSError:
                return
            if not self._closed:
                self._serve_wanted()

    def serves(self, version: int) -> bool:
        """Whether that version is available."""
        with self._lock:
            return version in self._versions and self._versions[version].serves

    def wanted(self, policy: VersionPolicy) -> list[VersionStatus]:
        """What the last look found of the versions that `policy` wants, newest first; one not begun with yet is missing."""
        with self._lock:
            numbers = sorted(policy.wanted(self._folders), reverse=True)
            return [self._versions[number].status for number in numbers if number in self._versions]

    def close(self) -> None:
        """Lets every version go; requests that hold one are answered. From now on there is nothing to lease."""
        with self._polling:
            self._closed = True
            for number in self._available():
                self._unload(number)

    def _serve_wanted(self) -> None:
        wanted = set().union(*(policy.wanted(self._folders) for policy in self.policies))
        with self._lock:
            for number in wanted:
                self._versions.setdefault(number, _Version(number))
        for number in sorted(wanted, reverse=True):
            self._try_load(self._versions[number], self._folders[number])
        available = self._available()
        if wanted and not wanted.intersection(available):
            return
        for number in available:
            if number not in wanted:
                self._unload(number)

    def _try_load(self, held: _Version, folder: Path) -> None:
        if held.serves or self._revive(held):
            return
        files = fingerprint(folder)
        if held.failures and files == held.failed_on and not self._retries.due(held.failures, self._clock() - held.failed_at):
            return
        number = held.status.version
        self._set(held, VersionStatus(number, State.LOADING))
        try:
            model = self._load(folder)
        except Exception as error:  # noqa: BLE001 - TensorFlow raises a dozen types for a damaged folder, and none may stop the server
            self._note_failure(held, files, error)
            return
        try:
            problem = self._warm_up(folder, model)
        except Exception as error:  # noqa: BLE001 - whatever a warm-up file does, it must not keep the version from serving
            problem = f"the warm-up fails: {_one_line(error)}"
        if problem:
            self._report(Event("warmup", self.name, number, problem))
        held.failures = 0
        self._set(held, VersionStatus(number, State.AVAILABLE), model)
        self._report(Event("available", self.name, number))

    def _revive(self, held: _Version) -> bool:
        """A version that is wanted again while requests still hold it just goes on; one that is being freed is loaded at the next look."""
        with self._lock:
            is_going = held.status.state == State.UNLOADING
            is_held = is_going and held.model is not None
            if is_held:
                self._change(held, VersionStatus(held.status.version, State.AVAILABLE), held.model)
        if is_held:
            self._report(Event("available", self.name, held.status.version))
        return is_going

    def _note_failure(self, held: _Version, files: frozenset, error: Exception) -> None:
        message = _one_line(error)
        changed = held.failures == 0 or files != held.failed_on
        is_news = held.failures == 0 or (changed and message != held.failed_with)
        held.failures = 1 if changed else held.failures + 1
        held.failed_at, held.failed_on, held.failed_with = self._clock(), files, message
        self._set(held, VersionStatus(held.status.version, State.END, _error_code(error), message))
        if is_news:
            self._report(Event("failed", self.name, held.status.version, message))

    def _unload(self, number: int) -> None:
        held = self._versions[number]
        self._set(held, VersionStatus(number, State.UNLOADING), held.model)
        self._free_if_idle(held)

    def _free_if_idle(self, held: _Version) -> None:
        with self._lock:
            if not held.is_idle:
                return
            model, held.model = held.model, None
        model.close()
        self._set(held, VersionStatus(held.status.version, State.END))
        self._report(Event("unloaded", self.name, held.status.version))

    def _set(self, held: _Version, status: VersionStatus, model: SavedModel | None = None) -> None:
        with self._lock:
            self._change(held, status, model)

    def _change(self, held: _Version, status: VersionStatus, model: SavedModel | None) -> None:
        """With the lock held."""
        held.status, held.model = status, model
        serving = [number for number, other in self._versions.items() if other.serves]
        self._newest = self._versions[max(serving)] if serving else None

    def _available(self) -> list[int]:
        with self._lock:
            return [number for number, held in self._versions.items() if held.serves]


class Lease:
    """One request's hold on a version; a class and no generator, because every request makes one."""

    __slots__ = ("_held", "_served", "_version")

    def __init__(self, served: ServedModel, version: int | None) -> None:
        self._served, self._version = served, version

    def __enter__(self) -> tuple[int, SavedModel]:
        served = self._served
        with served._lock:
            held = served._newest if self._version is None else served._versions.get(self._version)
            if held is None or not held.serves:
                raise not_found(served.name, self._version)
            held.leases += 1
        self._held = held
        return held.status.version, held.model

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._served._lock:
            self._held.leases -= 1
            is_idle = self._held.is_idle
        if is_idle:
            self._served._free_if_idle(self._held)


def not_found(name: str, version: int | None) -> NotFoundError:
    """The error for a version that does not serve; None stands for the newest."""
    wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
    return NotFoundError(f"Servable not found for request: {wanted}")


def no_status(name: str, version: int | None) -> NotFoundError:
    """The error for a version that was never seen; None stands for all of them."""
    return NotFoundError(f"Could not find {'any versions' if version is None else f'version {version}'} of model {name}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _error_code(error: Exception) -> str:
    """TensorFlow's errors know their status; everything else that goes wrong while loading is UNKNOWN."""
    number = getattr(error, "error_code", error_codes_pb2.Code.Value("UNKNOWN"))
    return error_codes_pb2.Code.Name(number)
