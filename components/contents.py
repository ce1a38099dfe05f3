"""What a folder holds: by that a file which somebody has removed, cut short or edited is missed.

every file's size -> the smallest files' content too -> later: is all of it still there? Times do not count: a copy has others.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

_MOST_BYTES, _MOST_FILES = 16 << 20, 1000  # whose content is read, which takes some 20 ms; of more than that only the sizes are noted


class Contents(NamedTuple):
    """How many files there are in a folder and below it, their bytes together, and digests of the smallest of them by name."""

    files: int
    bytes: int
    digests: dict[str, str] = {}  # noqa: RUF012 - pydantic reads the default; nobody writes to it


def of(path: str | Path) -> Contents | None:
    """What a folder, or a file by itself, holds; None where nothing is."""
    sizes = _sizes(Path(path))
    if sizes is None:
        return None
    digests, left = {}, _MOST_BYTES
    for name, size in sorted(sizes.items(), key=lambda item: (item[1], item[0]))[:_MOST_FILES]:
        left -= size
        if left < 0:
            break
        if not any("\ud800" <= sign <= "\udfff" for sign in name):  # bytes that are no text, which JSON cannot keep
            digests[name] = _digest(Path(path, name))
    return Contents(len(sizes), sum(sizes.values()), digests)


def is_whole(path: str | Path, then: Contents | None) -> bool:
    """Whether `path` holds at least what it did then; files that were added do no harm."""
    if then is None:
        return True
    sizes = _sizes(Path(path))
    if sizes is None or len(sizes) < then.files or sum(sizes.values()) < then.bytes:
        return False
    return all(name in sizes and _digest(Path(path, name)) == digest for name, digest in then.digests.items())


def _sizes(place: Path) -> dict[str, int] | None:
    if not place.exists():
        return None
    files = [place] if place.is_file() else [file for file in place.rglob("*") if file.is_file()]
    return {file.relative_to(place).as_posix(): file.stat().st_size for file in files}


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:16]
