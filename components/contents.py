"""How much a folder holds: by that a file which somebody has removed or cut short is missed without reading any."""

from pathlib import Path
from typing import NamedTuple


class Contents(NamedTuple):
    """How many files there are in a folder and below it, and their bytes together."""

    files: int
    bytes: int


def of(path: str | Path) -> Contents | None:
    """What a folder, or a file by itself, holds; None where nothing is."""
    place = Path(path)
    if not place.exists():
        return None
    sizes = [file.stat().st_size for file in ([place] if place.is_file() else place.rglob("*")) if file.is_file()]
    return Contents(len(sizes), sum(sizes))


def is_whole(path: str | Path, then: Contents | None) -> bool:
    """Whether `path` holds at least what it did then; files that were added do no harm."""
    if then is None:
        return True
    now = of(path)
    return now is not None and now.files >= then.files and now.bytes >= then.bytes
