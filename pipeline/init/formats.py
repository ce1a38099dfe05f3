"""The formats that `tapeline init` knows, one entry each; the first one that recognises a path is its format."""

import functools
import glob
import itertools
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from components.example_gen.readers import zipped
from components.example_gen.readers.data_files import SHARD, check_place, what_is
from pipeline.init import csv_table, idx, json_lines, parquet, picture_table, pictures, table, table_files, tfrecord
from pipeline.init.proposal import Proposal, Request
from trainer.errors import ConfigError, did_you_mean, listed

_LOOKED_AT = 1000  # entries of a folder
# The names of files that are a table's part in a folder, or among those that match a pattern.
_TABLES = {
    "Parquet": re.compile(r"\.(parquet|parq|pq)$"),
    "JSON lines": re.compile(r"\.(jsonl|ndjson)(\.gz)?$"),
    "TFRecord": re.compile(r"tfrec(ords?)?(\.gz)?$"),
    "CSV and TSV": re.compile(r"\.(csv|tsv)(\.gz)?$"),
}
_JSON = re.compile(r"\.json(\.gz)?$")  # in a folder it says something about the data


class Format(NamedTuple):
    """A format of data.

    Attributes:
      words: what such data is, for people.
      recognises: whether a path, or a pattern of some, is of this format.
      propose: looks at the data.
    """

    words: str
    recognises: Callable[[str], bool]
    propose: Callable[[Request], Proposal]


def _is_table(words: str) -> Callable[[str], bool]:
    return lambda path: words in _tables(path)


def _is_json(path: str) -> bool:
    return "JSON lines" in _tables(path) or (not Path(path).is_dir() and any(_JSON.search(name.casefold()) for name in _names(path)))


FORMATS = (
    Format("IDX files", idx.recognises, idx.propose),
    Format("a table that names pictures", picture_table.recognises, functools.partial(table.propose, picture_table.look)),
    Format("pictures in class folders", pictures.recognises, pictures.propose),
    Format("Parquet", _is_table("Parquet"), functools.partial(table.propose, parquet.look)),
    Format("JSON lines", _is_json, functools.partial(table.propose, json_lines.look)),
    Format("TFRecord", _is_table("TFRecord"), functools.partial(table.propose, tfrecord.look)),
    Format("CSV and TSV", lambda path: bool(table_files.find(path).paths), functools.partial(table.propose, csv_table.look)),
)


def recognise(path: str) -> Callable[[Request], Proposal]:
    """What proposes a config for the data at `path`, a file, a folder or a pattern.

    Raises:
      ConfigError: nothing is there, nothing that could be read, or tables of several formats.
    """
    check_place(path)
    if Path(path).suffix.casefold() == ".zip" and len(names := zipped.tables_in(Path(path))) > 1:
        raise ConfigError(f"Expected one table in '{path}'. Received: {listed(names)}. Unpack it, and name those that belong together.")
    found = next((each for each in FORMATS if each.recognises(path)), None)
    if found is None:
        readable = ", ".join(each.words for each in FORMATS)
        raise ConfigError(f"Expected data: {readable}. Received: '{path}', {_lacking(path)}")
    tables = _tables(path)
    if found.words in tables and len(tables) > 1:
        received = " and ".join(f"{words} ('{name}')" for words, name in tables.items())
        raise ConfigError(
            f"Expected files of one format in '{path}'. Received: {received}. Name those of one, by a pattern like 'data/*.csv'."
        )
    return found.propose


def _tables(path: str) -> dict[str, str]:
    """The formats of tables that the files at `path` are of by their names, each with the first file."""
    names = list(_names(path))
    plain = {name: SHARD.sub("", name.casefold()) for name in names}
    first = {words: next((name for name in names if pattern.search(plain[name])), "") for words, pattern in _TABLES.items()}
    return {words: name for words, name in first.items() if name}


def _names(path: str) -> Iterator[str]:
    """Of the files that a path means, as far as a folder or a pattern is looked at."""
    if Path(path).is_dir():
        return itertools.islice(_below(path), _LOOKED_AT)
    there = [path] if Path(path).is_file() else itertools.islice(glob.iglob(path, recursive=True), _LOOKED_AT)  # noqa: PTH207  # Path's takes no absolute one
    return (
        zipped.table_in(Path(name)) if Path(name).suffix.casefold() == ".zip" else Path(name).name for name in there if Path(name).is_file()
    )


def _below(folder: str) -> Iterator[str]:
    """The names of a folder's files, those of the folders in it too, without the hidden ones and those that say something about others."""
    for _, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "_")))
        yield from (name for name in sorted(files) if not name.startswith((".", "_")))


def _entries(folder: Path) -> list[Path]:
    return list(itertools.islice(folder.iterdir(), _LOOKED_AT)) if folder.is_dir() else []


def _lacking(path: str) -> str:
    place = Path(path)
    if not place.is_dir():
        near = did_you_mean(place.name, [entry.name for entry in _entries(place.parent)])
        what = what_is(place)
        near = near if what.endswith("not there") else ""
        return f"{what}.{near} Name a file, a folder or a pattern like 'data/*.csv'."
    names = sorted(entry.name for entry in _entries(place))
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")
    return f"a folder with {shown}. Name the file." if names else "a folder without files. Put the data there, or name another."
