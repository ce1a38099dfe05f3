"""The version folders below a model's base path: which there are, whether one has changed, and what to say when there is none."""

import re
from pathlib import Path

_INTEGER = re.compile(r"[0-9]+")
SAVED_MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")


def find_versions(base_path: Path) -> dict[int, Path]:
    """Version number -> folder, for every folder whose name is an integer (`0000007` is 7). Raises OSError where there is no such path."""
    folders = [entry for entry in base_path.iterdir() if _INTEGER.fullmatch(entry.name) and entry.is_dir()]
    return {int(folder.name): folder for folder in folders}


def fingerprint(folder: Path) -> frozenset[tuple[str, int, int]]:
    """Paths, sizes and times of the files below: equal as long as nothing was copied into it."""
    entries = set()
    for path in folder.rglob("*"):
        try:
            status = path.stat()
        except OSError:  # it went away between the listing and the look: that is a change, and the next look shows it
            continue
        entries.add((str(path), status.st_size, status.st_mtime_ns))
    return frozenset(entries)


def hint(base_path: Path) -> str:
    """Why a base path has no versions, with the flag that was probably meant: `": did you mean --model_base_path ...?"` or what to do."""
    if not base_path.is_dir():
        return "the folder does not exist yet"
    if any((base_path / name).is_file() for name in SAVED_MODEL_FILES):
        return f"it is a version itself; did you mean --model_base_path {base_path.parent}?"
    try:
        models = [entry for entry in sorted(base_path.iterdir()) if entry.is_dir() and _has_versions(entry)]
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    if len(models) == 1:
        return f"did you mean --model_base_path {models[0]}?"
    if models:
        return f"it holds models: {', '.join(entry.name for entry in models)}; name one of them in --model_base_path"
    return "it has no folder named by a number yet"


def _has_versions(folder: Path) -> bool:
    try:
        return bool(find_versions(folder))
    except OSError:
        return False
