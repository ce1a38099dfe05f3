"""The one table in a zip archive, as people and web sites pack a text file, whatever README is beside it."""

import re
import zipfile
from pathlib import Path
from typing import IO

from components.example_gen.readers.image_layout import SUFFIXES
from components.example_gen.readers.zip_list import NO_ZIP, files_of

_TABLE = re.compile(r"(?i)\.(csv|tsv|tab|jsonl|ndjson)$")
_TEXT = re.compile(r"(?i)\.(txt|data|dat)$")  # such files also say something about a table
_ABOUT = re.compile(r"(?i)^(readme|licen[cs]e|about|citation|index|note)")


def table_in(file: Path | IO[bytes]) -> str:
    """The name of the table in an archive that holds one alone; empty for another archive, and for what is none."""
    found = tables_in(file)
    return found[0] if len(found) == 1 else ""


def tables_in(file: Path | IO[bytes]) -> list[str]:
    """The names of the tables as text in an archive; none where there are pictures, of which they say something."""
    try:
        with zipfile.ZipFile(file) as archive:
            infos = [info for info in files_of(archive) if not info.flag_bits & 1]
    except NO_ZIP:  # or a broken one: its reader says so
        return []
    names = [info.filename for info in infos if not _is_hidden(info.filename)]
    if any(Path(name).suffix.casefold() in SUFFIXES for name in names):
        return []
    for pattern in (_TABLE, _TEXT):
        if found := [name for name in names if pattern.search(name) and not _ABOUT.match(name.rpartition("/")[2])]:
            return found
    return []


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
