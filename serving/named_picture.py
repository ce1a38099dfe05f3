"""The picture that a cell of a table names, a path below the table's folder or below a folder in it, with or without its suffix.

A path that Windows has written has backslashes.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from serving.errors import InputFileError
from serving.not_that import NotThat
from serving.picture import JPEG_START, PNG_START, check_picture, sendable

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".gif")


def named_picture(cell: bytes, folder: Path) -> bytes:
    """A PNG or JPEG file; `cell` itself where it is one. Raises NotThat."""
    if cell.startswith((JPEG_START, PNG_START)):
        return cell
    name = os.fsdecode(cell)
    paths = [os.path.normpath(each) for each in _spellings(name)]
    if not name or any(Path(path).is_absolute() or path.startswith("..") for path in paths):
        raise NotThat(f"the name of a picture below '{folder}'")
    try:
        path = next((path for path in _candidates(folder, name) if path.is_file()), None)
        content = path.read_bytes() if path else b""
    except (OSError, ValueError):  # a name that no file can have, or one that may not be read
        path, content = None, b""
    if path is None:
        raise NotThat(f"the name of a picture below '{folder}', which is there")
    try:
        return check_picture(str(path), sendable(content))
    except InputFileError as error:
        raise NotThat(f"a picture ({error})") from None


def file_size(name: str, folder: Path) -> int:
    """The bytes of the file of a picture's name, 0 where there is none."""
    try:
        return next((path.stat().st_size for path in _candidates(folder, name) if path.is_file()), 0)
    except (OSError, ValueError):
        return 0


def _candidates(folder: Path, name: str) -> Iterator[Path]:
    suffixes = [""] if name.casefold().endswith(SUFFIXES) else [each for suffix in SUFFIXES for each in (suffix, suffix.upper())]
    for spelt in _spellings(name):
        yield from (folder / f"{spelt}{suffix}" for suffix in suffixes)
        yield from (below / f"{spelt}{suffix}" for below in sorted(folder.iterdir()) if below.is_dir() for suffix in suffixes)


def _spellings(name: str) -> tuple[str, ...]:
    """The name as it is, and as a path where Windows has written it."""
    return tuple(dict.fromkeys((name, name.replace("\\", "/"))))
