"""The folder a run works in: who may use it, where its logs, temporary files, artifacts and versions are.

ROOT/metadata.sqlite, ROOT/artifacts/, ROOT/serving/NAME/VERSION/, ROOT/logs/RUN.log, ROOT/records/RUN.json (what came of it),
ROOT/accepted/ (statistics of the data that was accepted last), ROOT/last_run.json (which record answers the same run again),
ROOT/fingerprints.json (digests of the raw files), ROOT/backbones/ (unpacked archives of `trainer.backbone`), ROOT/tmp/ (gone after the run)
"""

import contextlib
import datetime
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TextIO

from trainer.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.config import PipelineConfig  # not at run time: `tapeline predict` needs this module without pydantic

DEFAULT_PARENT = "runs"


class Held(NamedTuple):
    """A root that is held.

    Attributes:
      log: the run's log file.
      lock: the descriptor of the lock, which another process may hold as well.
    """

    log: Path
    lock: int


class Workspace:
    """The places below one root."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(os.path.expanduser(root)).absolute()  # noqa: PTH111 - Path's raises where there is no such user
        self.metadata = self.root / "metadata.sqlite"
        self.artifacts = self.root / "artifacts"
        self.schemas = self.root / "schemas"
        self.accepted = self.root / "accepted"
        self.backbones = self.root / "backbones"
        self.logs = self.root / "logs"
        self.records = self.root / "records"
        self.last_run = self.root / "last_run.json"
        self.fingerprints = self.root / "fingerprints.json"
        self.temporary = self.root / "tmp"
        self.epochs = self.temporary / "epochs.jsonl"

    @contextlib.contextmanager
    def use(self) -> Iterator[Held]:
        """Holds the root for one run, which has an empty folder for temporary files meanwhile.

        Raises:
          ConfigError: the root cannot be written, or another run holds it.
        """
        if any("\ud800" <= sign <= "\udfff" for sign in str(self.root)):  # bytes that Python could not read; TFX ends by them
            raise ConfigError(
                f"Expected a root folder whose name can be read in the locale's encoding. Received: {str(self.root)!r}. "
                "Set LC_ALL=C.UTF-8, or give another with --root DIR."
            )
        try:
            for folder in (self.root, self.artifacts, self.logs):
                folder.mkdir(parents=True, exist_ok=True)
                if not os.access(folder, os.W_OK | os.X_OK):
                    raise PermissionError(13, "Permission denied")
            lock = (self.root / ".lock").open("a+")
        except OSError as error:
            raise ConfigError(
                f"Expected a root folder that can be written. Received: '{self.root}' ({error.strerror}). Give another with --root DIR."
            ) from None
        with lock:
            self._acquire(lock)
            self._clear_temporary()
            try:
                yield Held(self.logs / f"{datetime.datetime.now():%Y%m%d-%H%M%S-%f}.log", lock.fileno())
            finally:
                shutil.rmtree(self.temporary, ignore_errors=True)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """The root as the working directory, so that the paths in the metadata, relative to it, hold wherever it is moved or copied."""
        before = os.open(".", getattr(os, "O_PATH", os.O_RDONLY))  # no name: the folder may have lost its own
        try:
            os.chdir(self.root)
            yield
        finally:
            os.fchdir(before)
            os.close(before)

    def record(self, run: str) -> Path:
        """The file of that run's record."""
        return self.records / f"{run}.json"

    def stored(self, path: str) -> str:
        """`path` as the metadata keep it: from the root on where it is below it, else as it is."""
        return str(Path(path).relative_to(self.root)) if Path(path).is_relative_to(self.root) else path

    def place(self, stored: str) -> str:
        """The path that the metadata keep as `stored`, in full."""
        return stored if "://" in stored else str(self.root / stored)

    def _acquire(self, lock: TextIO) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel lets go when the process dies, however it dies
        except BlockingIOError:
            lock.seek(0)
            raise ConfigError(
                f"Expected no other run in '{self.root}'. Received: one is under way (process {lock.read().strip()}). "
                "Wait for it, or give another --root DIR."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()

    def _clear_temporary(self) -> None:
        shutil.rmtree(self.temporary, ignore_errors=True)  # a killed run's
        self.temporary.mkdir()


def default_root(config: "PipelineConfig") -> Path:
    """Where a run goes without --root."""
    return Path(DEFAULT_PARENT) / config.name


def serving_path(config: "PipelineConfig", workspace: Workspace) -> str:
    """The folder that gets the model's versions."""
    base = config.pusher.base_path or str(workspace.root / "serving")
    return f"{base.rstrip('/')}/{config.name}"
