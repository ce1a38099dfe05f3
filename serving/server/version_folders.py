"""The version folders below a model's base path: which there are, whether one has changed, and what to say when there is none."""

import os
import shlex
from pathlib import Path

from serving import versions

SAVED_MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")


def find_versions(base_path: Path) -> dict[int, Path]:
    """Version number -> folder, for every folder whose name is a version. Raises OSError where there is no such path."""
    names = [entry.name for entry in base_path.iterdir() if versions.parse(entry.name) is not None and entry.is_dir()]
    return {number: base_path / name for number, name in versions.by_number(names).items()}


def fingerprint(folder: Path) -> frozenset[tuple[str, int, int, int]]:
    """Paths, sizes and times of the files below: equal as long as nothing was copied into it and no permission changed."""
    entries = set()
    for parent, folders, files in os.walk(folder):  # which passes over what goes away meanwhile
        for name in (*folders, *files):
            path = Path(parent, name)
            try:
                status = path.stat()
            except OSError:  # it went away between the listing and the look: that is a change, and the next look shows it
                continue
            entries.add((str(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    return frozenset(entries)


def hint(base_path: Path, option: str = "--model_base_path") -> str:
    """Why a base path has no versions, with what was probably meant: `did you mean OPTION ...?`."""
    if not base_path.is_dir():
        return "the folder does not exist yet"
    if any((base_path / name).is_file() for name in SAVED_MODEL_FILES):
        return f"it is a version itself; did you mean {option} {shlex.quote(str(base_path.parent))}?"
    try:
        models = [entry for entry in sorted(base_path.iterdir()) if entry.is_dir() and _has_versions(entry)]
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    if len(models) == 1:
        return f"did you mean {option} {shlex.quote(str(models[0]))}?"
    if models:
        return f"it holds models: {', '.join(entry.name for entry in models)}; name one of them in {option}"
    return "it has no folder named by a number yet"


def _has_versions(folder: Path) -> bool:
    try:
        return bool(find_versions(folder))
    except OSError:
        return False
