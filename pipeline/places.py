"""Whether a run can use a root: its name, and what already lies in it; found out before anything is written.

root -> signs that the libraries take for patterns? -> files where folders belong, or folders where files belong? -> ConfigError
"""

import contextlib
import os
import sqlite3
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from components.place import EXPECTED, lacks_bucket
from pipeline.workspace import Workspace
from trainer.errors import ConfigError

# TFX, Beam and TensorFlow glob below the root, without a way to quote; Keras formats the paths of its weights with str.format.
PATTERN_SIGNS = "*?[{}\\"
# TensorFlow looks for a SavedModel's variables by a pattern: neither `tapeline serve` nor TensorFlow Serving could load what lies there.
UNLOADABLE_SIGNS = "[\\"
_LOCK_SECONDS = 10.0  # how long another process may hold the metadata
_TABLE_OF_METADATA = "MLMDEnv"  # ML Metadata's own version is in it


def check_name(place: str, setting: str, signs: str = PATTERN_SIGNS) -> None:
    """Raises ConfigError where the path or URL `place`, which `setting` names, has one of `signs` in it."""
    sign = next((sign for sign in place if sign in signs), None)
    if sign is not None:
        raise ConfigError(
            f"Expected {setting} to name a folder without {' '.join(signs)}, which TFX, Beam, Keras and TensorFlow take for patterns. "
            f"Received: '{place}', with '{sign}'. Rename the folder, or give another one."
        )


def check_buckets(values: Mapping[str, Any]) -> None:
    """Raises ConfigError where a place among the parameters `values` of a package is meant for object storage and names no bucket."""
    for name in ("data_path", "pipeline_root", "serving_base_path"):
        if lacks_bucket(str(values.get(name) or "")):
            raise ConfigError(f"Expected {name} to be {EXPECTED}. Received: '{values[name]}'.")


def check_root(workspace: Workspace) -> None:
    """Raises ConfigError where the root's name would be taken for a pattern, or where something of another kind is in a file's place."""
    check_name(str(workspace.root), "--root")
    check_name(os.path.realpath(workspace.root), "--root")  # where a symbolic link leads; Beam asks for the working folder's own name
    root = workspace.root
    for path in (workspace.metadata, workspace.last_run, root / ".lock", root / "metadata.json"):
        if path.exists() and not path.is_file():
            raise _wrong_kind(path, "file", "folder" if path.is_dir() else "special file")
    own = (workspace.artifacts, workspace.schemas, workspace.logs, workspace.records, workspace.temporary)
    for path in (*own, root / "serving", root / "pods"):
        if path.exists() and not path.is_dir():
            raise _wrong_kind(path, "folder", "file")


def check_metadata(file: Path) -> None:
    """Raises ConfigError where `file`, if it is there, is not TFX's metadata store, is damaged, or is held by another process."""
    if not file.exists():
        return
    try:
        with _held(file, _LOCK_SECONDS) as database:
            [(verdict, *_), *_] = database.execute("PRAGMA quick_check(1)")
            names = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error as error:
        verdict, names = str(error), set()
    anew = f"Remove the folder '{file.parent}' to start anew (move its `serving` away first if it is served), or give another --root DIR."
    if verdict != "ok":
        raise ConfigError(f"Expected '{file}' to be a run's metadata. Received: a file that cannot be read ({verdict}). {anew}")
    if names and _TABLE_OF_METADATA not in names:  # without any table it is new
        raise ConfigError(f"Expected '{file}' to be a run's metadata. Received: another program's database. {anew}")


def wait_until_free(file: Path, patience: float = _LOCK_SECONDS) -> None:
    """Returns once nobody else has the database `file` locked; ml-metadata would wait for ever, without a word.

    Args:
      file: the SQLite database; one that is not there yet is free.
      patience: how long to wait, in seconds.

    Raises:
      ConfigError: it is still locked after `patience`.
    """
    if file.exists():
        with _held(file, patience):
            pass


@contextlib.contextmanager
def _held(file: Path, patience: float) -> Iterator[sqlite3.Connection]:
    """The database, locked as a run's own writing will lock it: one that others read or write has to be waited for."""
    address = f"file:{quote(str(file))}?mode=rw"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=patience, isolation_level=None)) as database:
        try:
            database.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            raise ConfigError(
                f"Expected '{file}' to be free. Received: another process has had it locked for {patience:.0f} s. Close what has it open "
                "(a database browser, a backup), then run the same command again, or give another --root DIR."
            ) from None
        yield database
        database.execute("ROLLBACK")


def check_base_path(folder: str, setting: str) -> None:
    """Raises ConfigError where no version could be written or loaded: found now, and not after the training."""
    check_name(folder, setting, UNLOADABLE_SIGNS)
    if "://" in folder:
        return
    for path in (Path(folder), *Path(folder).parents):
        if os.path.exists(path) and not path.is_dir():  # noqa: PTH110 - Path's raises where a folder above may not be entered
            raise ConfigError(
                f"Expected {setting} to name a folder. Received: '{path}', which is a file. Move it away, or give another folder."
            )


def check_writable(folder: str, setting: str) -> None:
    """Raises ConfigError where nothing could be written to `folder`, which need not be there yet; what is not of this machine passes.

    It makes and removes an empty folder: permission bits say nothing about a read-only mount, a network file system or root. The name is
    the Pusher's for what is unfinished, which the next push removes should this process be killed in between.
    """
    if "://" in folder:
        return
    place = next(path for path in (Path(folder), *Path(folder).parents) if os.path.isdir(path))  # noqa: PTH112 - as above
    trial = place / f".incoming-{uuid.uuid4().hex}"
    try:
        trial.mkdir()
    except OSError as error:
        raise ConfigError(
            f"Expected {setting} to name a folder that can be written. Received: '{place}' ({error.strerror}). "
            "Change its permissions, or give another folder."
        ) from None
    with contextlib.suppress(FileNotFoundError):  # a push to the same folder has removed it
        trial.rmdir()


def _wrong_kind(path: Path, expected: str, found: str) -> ConfigError:
    return ConfigError(f"Expected '{path}' to be a {expected}. Received: a {found}. Move it away, or give another root with --root DIR.")
