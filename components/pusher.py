"""TFX's Pusher, except that a version appears whole or not at all, and the same model is pushed once.

blessed? -> is it there already? -> copy beside the versions -> rename to the next version number
"""

import hashlib
import os
import shutil
import socket
import time
from pathlib import Path
from typing import Any

import psutil
from tfx import types
from tfx.components.pusher import executor as tfx_executor
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils
from tfx.utils import io_utils, proto_utils

_STAGING_PREFIX = ".incoming-"  # TensorFlow Serving ignores names that are no numbers
_DIGEST = "tapeline.sha256"  # in assets.extra, which TensorFlow Serving leaves alone


class Executor(tfx_executor.Executor):
    """Pushes to a file system: `base_directory/<version>/`, the version being the Unix time in seconds."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See TFX's Pusher, whose interface this is."""
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(output_dict["pushed_model"])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return
        destination = proto_utils.json_to_proto(exec_properties["push_destination"], pusher_pb2.PushDestination())
        if "://" in destination.filesystem.base_directory:
            super().Do(input_dict, output_dict, exec_properties)  # no rename there: TFX copies saved_model.pb last instead
            return
        base = Path(destination.filesystem.base_directory)
        version = push(Path(self.GetModelPath(input_dict)), base)
        io_utils.copy_dir(str(base / version), pushed.uri)
        self._MarkPushed(pushed, pushed_destination=str(base / version), pushed_version=version)


def push(model: Path, base: Path) -> str:
    """Makes `model` the newest version below `base` and returns its version.

    A run that was killed between the push and its bookkeeping finds its own model as the newest version, and leaves it at that.
    """
    digest = model_digest(model)
    base.mkdir(parents=True, exist_ok=True)
    remove_unfinished(base)
    versions = sorted((int(path.name) for path in base.iterdir() if path.name.isdecimal() and path.is_dir()), reverse=True)
    if versions and _digest_of(base / str(versions[0])) == digest:
        return str(versions[0])
    version = str(max(int(time.time()), versions[0] + 1 if versions else 0))
    staging = base / f"{_STAGING_PREFIX}{socket.gethostname()}-{os.getpid()}"
    io_utils.copy_dir(str(model), str(staging))
    note = staging / "assets.extra" / _DIGEST
    note.parent.mkdir(exist_ok=True)
    note.write_text(digest)
    _flush(staging)
    while True:
        try:
            staging.rename(base / version)
        except OSError:
            if not (base / version).exists():
                raise
            version = str(int(version) + 1)  # another root's run has pushed in the same second
        else:
            return version


def model_digest(model: Path) -> str:
    """A digest of the files below `model`, names and content."""
    digest = hashlib.sha256()
    for path in sorted(path for path in model.rglob("*") if path.is_file()):
        digest.update(path.relative_to(model).as_posix().encode() + b"\0")
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def remove_unfinished(base: Path) -> None:
    """Removes what a killed push of this machine left behind; a push that is still under way keeps its folder."""
    mine = f"{_STAGING_PREFIX}{socket.gethostname()}-"
    for path in base.iterdir():
        process = path.name.removeprefix(mine)
        if path.name.startswith(mine) and process.isdecimal() and not psutil.pid_exists(int(process)):
            shutil.rmtree(path)


def _digest_of(version: Path) -> str | None:
    note = version / "assets.extra" / _DIGEST
    return note.read_text() if note.is_file() else None


def _flush(folder: Path) -> None:
    """Puts every file on the disk, so that a crash of the machine cannot leave a renamed but empty model."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
