"""Which column of a table names pictures that are beside it, and what a sample of them looks like.

first rows -> a column whose values are mostly files, in the table's folder or in one below it -> some of them decoded
"""

import posixpath
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from components.example_gen.readers import csv_file
from components.example_gen.readers.image_layout import SUFFIXES, Picture
from components.example_gen.readers.picture import PictureSettings
from components.example_gen.readers.sniffer import sniff
from pipeline.init import picture_sample
from pipeline.init.column import Column
from pipeline.init.picture_sample import PictureSample
from trainer.errors import TapelineError

_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_TRIED = 50  # values
_MOST = 0.5  # of them, more than which are there
_FOLDERS = 50  # below the table's
_SAMPLED = 400


class PictureColumn(NamedTuple):
    """A column that names pictures.

    Attributes:
      name: the column's.
      below: the pictures' folder, below that of the table; None where it is that.
    """

    name: str
    below: str | None


def find(path: Path) -> PictureColumn | None:
    """The column of the CSV or TSV file `path`, None where none names pictures, or it cannot be read."""
    if not path.name.casefold().endswith(_SUFFIXES):
        return None
    try:
        found = sniff(path)
        [part] = csv_file.open_csv([path], found.dialect, dict.fromkeys(found.columns, pa.string()))
        rows = next(part.read(lambda _: None), None)
    except TapelineError:  # whoever reads it in earnest says why
        return None
    if rows is None:
        return None
    for below in (None, *_folders(path.parent)):
        for name in found.columns:
            values = rows.batch.column(name).drop_null().unique()[:_TRIED].to_pylist()
            there = sum(_file(path.parent / (below or ""), value) is not None for value in values)
            if there > _MOST * len(values):
                return PictureColumn(name, below)
    return None


def in_folder(folder: Path) -> Path | None:
    """The one table in a folder that names pictures."""
    tables = [path for path in sorted(folder.iterdir()) if path.name.casefold().endswith(_SUFFIXES) and path.is_file()]
    naming = [path for path in tables if find(path)]
    return naming[0] if len(naming) == 1 else None


def look(path: Path, picture: PictureColumn, column: Column) -> PictureSample:
    """Some of the pictures that `column` of the table `path` names.

    Raises:
      DataError: none of them can be read.
    """
    folder = path.parent / (picture.below or "")
    values = column.distinct.take(pa.array(np.unique(np.linspace(0, len(column.distinct) - 1, _SAMPLED).astype(int)))).to_pylist()
    return picture_sample.read(folder, _pictures(folder, values), PictureSettings())


def _pictures(folder: Path, values: Iterable[str]) -> list[Picture]:
    return [Picture(_file(folder, value) or value, "", None) for value in values if not _is_outside(value)]


def _folders(folder: Path) -> list[str]:
    found = (entry.name for entry in sorted(folder.iterdir()) if entry.is_dir() and not entry.name.startswith("."))
    return [name for name, _ in zip(found, range(_FOLDERS), strict=False)]


def _file(folder: Path, value: str) -> str | None:
    """The picture below `folder` that a row names, with its suffix."""
    if _is_outside(value):
        return None
    names = [value] if Path(value).suffix.casefold() in SUFFIXES else [value + suffix for suffix in sorted(SUFFIXES)]
    try:
        return next((name for name in names if (folder / name).is_file()), None)
    except (OSError, ValueError):  # a name that no file can have
        return None


def _is_outside(value: str) -> bool:
    return posixpath.normpath(value).startswith(("/", ".."))
