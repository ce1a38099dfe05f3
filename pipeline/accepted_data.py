"""The statistics of the data that was accepted last, which later data is compared with: that of a run that pushed, or a person's choice.

ROOT/accepted/last.json -> which data it was -> ROOT/accepted/DIGEST/Split-train/FeatureStats.pb
"""

import shutil
from pathlib import Path

from components.accepted_pointer import FILE, STATISTICS, Pointer
from pipeline.workspace import Workspace
from serving import whole_file


def for_run(workspace: Workspace, fingerprint: str) -> str:
    """The folder of the statistics for a run on the data of that fingerprint, as the metadata keep it; empty where there are none."""
    pointer = _pointer(workspace)
    if pointer is None:
        return ""
    name = pointer.compared_with(fingerprint)
    folder = workspace.accepted / (name or "")
    return workspace.stored(str(folder)) if name and (folder / STATISTICS).is_file() else ""


def remember(workspace: Workspace, fingerprint: str, described: str) -> None:
    """Accepts data: `described` is the folder that the data gate wrote. Raises OSError."""
    keep(workspace, fingerprint, (Path(described) / STATISTICS).read_bytes())


def keep(workspace: Workspace, fingerprint: str, statistics: bytes) -> None:
    """Accepts data with these statistics of its train split. Raises OSError."""
    pointer = Pointer.after(_pointer(workspace), fingerprint, statistics)
    file = workspace.accepted / pointer.statistics / STATISTICS
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(statistics)
    whole_file.write(workspace.accepted / FILE, pointer.model_dump_json())
    for folder in workspace.accepted.iterdir():
        if folder.is_dir() and folder.name not in (pointer.statistics, pointer.before):
            shutil.rmtree(folder, ignore_errors=True)


def _pointer(workspace: Workspace) -> Pointer | None:
    try:
        return Pointer.read((workspace.accepted / FILE).read_bytes())
    except OSError:  # none yet
        return None
