"""The statistics of the data that was accepted last, which later data is compared with: that of a run that pushed, or a person's choice.

ROOT/accepted/last.json -> which data it was -> ROOT/accepted/DIGEST/Split-train/FeatureStats.pb
"""

import hashlib
import shutil
from pathlib import Path

import pydantic

from pipeline.workspace import Workspace
from serving import whole_file

_STATISTICS = Path("Split-train") / "FeatureStats.pb"


class _Pointer(pydantic.BaseModel):
    """What the file holds.

    Attributes:
      fingerprint: digest of the raw data.
      statistics: the folder of its statistics.
      before: the folder of those that were accepted before it, None where there were none. A run on the same data again is compared with
        them, as the first time: so the cache has the answer, and what was said of the data stays said.
    """

    fingerprint: str
    statistics: str
    before: str | None


def for_run(workspace: Workspace, fingerprint: str) -> str:
    """The folder of the statistics for a run on the data of that fingerprint, as the metadata keep it; empty where there are none."""
    pointer = _pointer(workspace)
    if pointer is None:
        return ""
    name = pointer.before if pointer.fingerprint == fingerprint else pointer.statistics
    folder = workspace.accepted / (name or "")
    return workspace.stored(str(folder)) if name and (folder / _STATISTICS).is_file() else ""


def remember(workspace: Workspace, fingerprint: str, described: str) -> None:
    """Accepts data: `described` is the folder that the data gate wrote. Raises OSError."""
    keep(workspace, fingerprint, (Path(described) / _STATISTICS).read_bytes())


def keep(workspace: Workspace, fingerprint: str, statistics: bytes) -> None:
    """Accepts data with these statistics of its train split. Raises OSError."""
    pointer, name = _pointer(workspace), hashlib.sha256(statistics).hexdigest()[:16]
    before = None
    if pointer:
        before = pointer.before if pointer.fingerprint == fingerprint else pointer.statistics
    file = workspace.accepted / name / _STATISTICS
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(statistics)
    whole_file.write(_file(workspace), _Pointer(fingerprint=fingerprint, statistics=name, before=before).model_dump_json())
    for folder in workspace.accepted.iterdir():
        if folder.is_dir() and folder.name not in (name, before):
            shutil.rmtree(folder, ignore_errors=True)


def _file(workspace: Workspace) -> Path:
    return workspace.accepted / "last.json"


def _pointer(workspace: Workspace) -> _Pointer | None:
    try:
        return _Pointer.model_validate_json(_file(workspace).read_bytes())
    except (OSError, ValueError):  # none yet, or a broken one, which the next accepted data replaces
        return None
