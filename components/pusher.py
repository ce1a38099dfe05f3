"""TFX's Pusher, except that a version appears whole or not at all, and the same model is pushed once.

blessed? -> is it there already? -> copy beside the versions -> rename to the next version number
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import logging
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from tfx import types
from tfx.components.pusher import executor as tfx_executor
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils
from tfx.utils import io_utils, proto_utils

from components import accepted_store, contents, remote_pusher
from components.next_version import next_version
from serving import versions

_STAGING = re.compile(r"\.incoming-[0-9a-f]{32}")  # TensorFlow Serving ignores names that are no numbers
_LOCK = "lock"
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # what file systems without locks say
ACCEPTED_PLACE, FOUND = "accepted_place", "found"
_DIGEST = "tapeline.sha256"  # in assets.extra, which TensorFlow Serving leaves alone


class Executor(tfx_executor.Executor):
    """Pushes to `base_directory/<version>/`, the version being the Unix time in seconds or, if that is not the highest, one more."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See TFX's Pusher, whose interface this is.

        `custom_config` may name the place of `accepted_store`, as ACCEPTED_PLACE; then the input FOUND, what the data gate has written, is
        accepted with the model.

        Raises:
          ConfigError: there is no higher version than the newest one.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(output_dict["pushed_model"])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return
        destination = proto_utils.json_to_proto(exec_properties["push_destination"], pusher_pb2.PushDestination())
        base, model = destination.filesystem.base_directory.rstrip("/"), self.GetModelPath(input_dict)
        if "://" in base:
            version = remote_pusher.push(model, base)
            io_utils.copy_dir(model, pushed.uri)
        else:
            version = push(Path(model), Path(base))
            io_utils.copy_dir(f"{base}/{version}", pushed.uri)
        self._MarkPushed(pushed, pushed_destination=f"{base}/{version}", pushed_version=version)
        place = (json.loads(exec_properties.get("custom_config") or "null") or {}).get(ACCEPTED_PLACE)
        if place and FOUND in input_dict:
            _accept(place, artifact_utils.get_single_instance(input_dict[FOUND]))


def _accept(place: str, found: types.Artifact) -> None:
    try:
        accepted_store.accept(place, found)
    except Exception:  # whatever the storage says: what is pushed is pushed, and later data has less to be compared with
        logging.exception("The statistics of the data could not be kept in '%s': drift is measured from what is there.", place)


def push(model: Path, base: Path) -> str:
    """Makes `model` the newest version below `base` and returns its version.

    Any number of processes may push at once, in containers of equal names too: each ends with a whole version of its own. A run that was
    killed between the push and its bookkeeping finds its own model as the newest version, and leaves it at that.

    Raises:
      ConfigError: there is no higher version than the newest one.
    """
    digest = model_digest(model)
    base.mkdir(parents=True, exist_ok=True)
    remove_unfinished(base)
    there = _versions(base)
    if there and _is_push_of(model, digest, base / there[max(there)]):
        return there[max(there)]
    next_version(there, (), str(base))  # raises before anything is copied
    with _staging(base) as staging:
        copy = staging / "model"
        io_utils.copy_dir(str(model), str(copy))
        note = copy / "assets.extra" / _DIGEST
        note.parent.mkdir(exist_ok=True)
        note.write_text(digest)
        _flush(copy)
        while True:
            # As it is now: the copy may have taken minutes. A number that a file has is left out, and so is an empty folder, which a
            # rename would replace.
            taken = versions.by_number(path.name for path in base.iterdir())
            version = next_version(_versions(base), taken, str(base))
            try:
                copy.rename(base / str(version))
            except OSError:
                if not os.path.lexists(base / str(version)):
                    raise  # else another process has just taken that number
            else:
                return str(version)


def model_digest(model: Path) -> str:
    """A digest of the files below `model`, names and content."""
    digest = hashlib.sha256()
    for path in sorted(path for path in model.rglob("*") if path.is_file()):
        digest.update(path.relative_to(model).as_posix().encode() + b"\0")
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def remove_unfinished(base: Path) -> None:
    """Removes what killed pushes have left; whatever else is there is kept, and nothing that cannot be removed is in the way.

    A push that is under way holds the lock in its folder, which the kernel lets go when the process dies, in whatever container it ran.
    """
    for path in base.iterdir():
        if not _STAGING.fullmatch(path.name):
            continue
        with contextlib.suppress(OSError):  # held by its push, somebody else's, a file, or gone meanwhile
            if not (path / _LOCK).exists():
                path.rmdir()  # killed before it had a lock; with anything in it, it is none of ours
            elif (lock := _hold(path / _LOCK)) is not None:
                with lock:
                    shutil.rmtree(path)


@contextlib.contextmanager
def _staging(base: Path) -> Iterator[Path]:
    """A new folder below `base` that no other process takes for a dead one's; gone afterwards."""
    while True:
        folder = base / f".incoming-{uuid.uuid4().hex}"
        folder.mkdir()
        try:
            (folder / _LOCK).touch()
            lock = _hold(folder / _LOCK)
        except FileNotFoundError:  # `remove_unfinished` of another process saw it before it had its lock
            continue
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            lock = (folder / _LOCK).open("r+")  # nobody can lock here, so nobody takes it for a dead one's either
        if lock is not None:
            break
    with lock:
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _hold(path: Path) -> TextIO | None:
    """The open file at `path`, locked; None where another process has it. Raises FileNotFoundError where it is gone."""
    file = path.open("r+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.stat()  # raises where it was removed between the first two lines; no other push ever makes a file of this name
        return file
    except BlockingIOError:
        file.close()
        return None
    except BaseException:
        file.close()
        raise


def _versions(base: Path) -> dict[int, str]:
    return versions.by_number(path.name for path in base.iterdir() if path.is_dir())


def _is_push_of(model: Path, digest: str, version: Path) -> bool:
    """Whether `version` is the model, and nobody has removed a file from it since."""
    note = version / "assets.extra" / _DIGEST
    return note.is_file() and note.read_text() == digest and contents.is_whole(version, contents.of(model))


def _flush(folder: Path) -> None:
    """Puts every file on the disk, so that a crash of the machine cannot leave a renamed but empty model."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
