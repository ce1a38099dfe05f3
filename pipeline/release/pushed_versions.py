"""The versions below a model's base path, as far as they can be seen from here: a local folder, or a bucket through TensorFlow."""

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components import released
from serving import versions, whole_file
from trainer.errors import ConfigError

LATEST = "latest"
_SAVED_MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")
_REMOTE = re.compile(r"(?!file://)[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True)
class Pushed:
    """`folders`: version -> its folder. `unknown`: why nothing can be seen from here; empty where it can."""

    base_path: str
    folders: dict[int, str] = field(default_factory=dict)
    unknown: str = ""

    @property
    def newest(self) -> int | None:
        """The highest number."""
        return max(self.folders, default=None)


def find(base_path: str) -> Pushed:
    """One look below the base path. A pod's path, or a bucket without credentials, is `unknown`."""
    try:
        names = _remote_names(base_path) if _REMOTE.match(base_path) else _local_names(base_path)
    except OSError as error:
        return Pushed(base_path, unknown=error.strerror or str(error))
    return Pushed(base_path, {number: f"{base_path.rstrip('/')}/{name}" for number, name in versions.by_number(names).items()})


def note_stable(base_path: str, version: int) -> str:
    """Notes beside the versions that `version` is stable, for the gate of the next run; returns why not, empty where it is noted."""
    try:
        if _REMOTE.match(base_path):
            _write_remote(f"{base_path.rstrip('/')}/{released.FILE}", released.text(version))
        else:
            whole_file.write(Path(base_path.removeprefix("file://")) / released.FILE, released.text(version))
    except OSError as error:
        return error.strerror or str(error)
    return ""


def chosen(asked: str, pushed: Pushed) -> int:
    """The version that `asked` (a number or `latest`) means. Raises ConfigError for one that is not there or not whole."""
    if asked == LATEST:
        return _whole(_newest(pushed), pushed)
    version = versions.parse(asked)
    if version is None:
        raise ConfigError(f"Expected VERSION to be a number or '{LATEST}'. Received: '{asked}'.{_near(None, pushed)}")
    if pushed.unknown:
        return version  # the server will say whether it is there
    if version not in pushed.folders:
        raise ConfigError(f"Expected VERSION to be a version in {pushed.base_path}. Received: {version}.{_near(version, pushed)}")
    return _whole(version, pushed)


def _newest(pushed: Pushed) -> int:
    if pushed.unknown:
        raise ConfigError(
            f"Expected VERSION to be a number: {pushed.base_path} cannot be read from here ({pushed.unknown}). Received: '{LATEST}'."
        )
    if pushed.newest is None:
        raise ConfigError(f"Expected a version in {pushed.base_path}. Received: none. Run `tapeline run` first: it pushes one.")
    return pushed.newest


def _whole(version: int, pushed: Pushed) -> int:
    folder = pushed.folders[version]
    if not any(_exists(f"{folder}/{name}") for name in _SAVED_MODEL_FILES):
        raise ConfigError(
            f"Expected version {version} to hold saved_model.pb. Received: {folder} without one. Wait until it is copied, or push it again."
        )
    return version


def _near(version: int | None, pushed: Pushed) -> str:
    known = sorted(pushed.folders)
    if not known:
        return "" if pushed.unknown else " There is none yet; `tapeline run` pushes one."
    near = sorted(sorted(known, key=lambda number: abs(number - version))[:3]) if version is not None else known[-3:]
    return f" Nearest: {', '.join(map(str, near))}."


def _exists(path: str) -> bool:
    if not _REMOTE.match(path):
        return Path(path.removeprefix("file://")).is_file()
    from tensorflow.io import gfile

    return gfile.exists(path)


def _local_names(base_path: str) -> list[str]:
    return [path.name for path in Path(base_path.removeprefix("file://")).iterdir() if path.is_dir()]


def _remote_names(base_path: str) -> list[str]:
    """Raises OSError, with one line, for whatever TensorFlow's file system says."""
    with _as_os_error() as gfile:
        return [name.rstrip("/") for name in gfile.listdir(base_path)]


def _write_remote(path: str, text: str) -> None:
    """Raises OSError as `_remote_names` does."""
    with _as_os_error() as gfile, gfile.GFile(path, "w") as file:
        file.write(text)


@contextlib.contextmanager
def _as_os_error() -> Iterator[Any]:
    """TensorFlow's file systems, whose errors become an OSError of one line."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from tensorflow import errors
    from tensorflow.io import gfile

    try:
        yield gfile
    except errors.OpError as error:
        raise OSError(" ".join(str(error.message).split())) from error
