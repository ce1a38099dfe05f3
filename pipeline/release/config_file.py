"""The config in a file of this machine, which a server polls."""

import contextlib
import fcntl
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from pipeline.release.errors import ChangedError, ReleaseError
from pipeline.release.place import Snapshot
from serving import whole_file
from trainer.errors import ConfigError, did_you_mean


class ConfigFile:
    """A `Place`. A symbolic link stays one: the file it points to is replaced."""

    def __init__(self, path: Path) -> None:
        self.name, self.options = str(path), f"--model_config_file {shlex.quote(str(path))}"
        self._path = path

    def read(self) -> Snapshot:
        """Raises ConfigError for a file that is not there, cannot be read or is no text."""
        try:
            whole_file.check(self._path)  # else reading a pipe would wait for whoever writes into it
            text = self._path.read_text(encoding="utf-8")
        except OSError as error:
            names = [path.name for path in self._path.parent.iterdir()] if self._path.parent.is_dir() else []
            raise ConfigError(
                f"Expected --model_config_file to be the file that the server was started with. Received: '{self._path}': "
                f"{error.strerror}.{did_you_mean(self._path.name, names)}"
            ) from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{self._path}: Expected a ModelServerConfig as UTF-8 text. Received: {error.reason}.") from error
        return Snapshot(text, text)

    def write(self, text: str, after: Snapshot) -> Snapshot:
        """Renames a whole new file over the old one: a server that looks meanwhile reads the one or the other."""
        target = Path(os.path.realpath(self._path))
        try:
            with _folder_locked(target.parent):
                if self.read().revision != after.revision:
                    raise ChangedError(f"{self.name} was changed by somebody else meanwhile")
                whole_file.write(target, text)
        except OSError as error:
            raise ReleaseError(
                f"{self.name} cannot be replaced: {error.strerror}. It is as it was. The folder must be writable, and be mounted as a "
                "whole where a container has it."
            ) from error
        return Snapshot(text, text)


@contextlib.contextmanager
def _folder_locked(folder: Path) -> Iterator[None]:
    """One release at a time between its last look and its write; the lock goes with the process and leaves no file behind."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems lock no folders; the comparison still holds but for a moment
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
