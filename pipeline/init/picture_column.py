"""Which columns of a table name pictures that are beside it, and what a sample of them looks like.

first rows -> a column whose values are mostly files, in the table's folder or in one below it -> some of them decoded
"""

import functools
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from components.example_gen.config import TABLE_SUFFIXES
from components.example_gen.readers import csv_file, json_lines, parquet_file
from components.example_gen.readers.image_layout import Picture
from components.example_gen.readers.listed_pictures import folders_in, is_outside, named_file, names_in
from components.example_gen.readers.picture import PictureSettings
from components.example_gen.readers.sniffer import sniff
from pipeline.init import picture_sample, table_files
from pipeline.init.column import Column
from pipeline.init.picture_sample import PictureSample
from trainer.errors import TapelineError

_HEAD = 1000  # rows
_TRIED = 50  # values
_MOST = 0.5  # of them, more than which are there
_SAMPLED = 400


class PictureColumn(NamedTuple):
    """The columns that name pictures.

    Attributes:
      names: the columns', each of other pictures.
      below: the pictures' folder, below that of the table; None where it is that.
    """

    names: tuple[str, ...]
    below: str | None


def find(path: Path) -> PictureColumn | None:
    """The columns of the table `path`, a CSV, JSON lines or Parquet file, None where none names pictures, or it cannot be read."""
    kind = next((kind for kind, suffixes in TABLE_SUFFIXES.items() if path.name.casefold().endswith(suffixes)), None)
    if kind is None:
        return None
    try:
        head = _HEADS[kind](path)
    except TapelineError:  # whoever reads it in earnest says why
        return None
    files_in = functools.cache(names_in)
    tried = {name: texts.drop_null().unique()[:_TRIED].to_pylist() for name, texts in head.items()}
    for below in (None, *folders_in(path.parent)):
        folder = path.parent / (below or "")
        found: dict[str, set[Path]] = {}
        for name, values in tried.items():
            files = [file for value in values if (file := named_file(folder, value, files_in)) is not None]
            is_new = not any(len(others.intersection(files)) > _MOST * len(files) for others in found.values())  # else it is an identifier
            if len(files) > _MOST * len(values) and is_new:
                found[name] = set(files)
        if found:
            return PictureColumn(tuple(found), below)
    return None


def tables(path: Path) -> dict[str, Path]:
    """The table that names pictures, under "", or that of each split, under the split; empty where there is none.

    Of a folder it is the one table in it that does, or those in it, or in the folders in it, that are named after splits.
    """
    if path.is_file():
        return {"": path} if find(path) else {}
    if not path.is_dir():
        return {}
    naming = _naming(path) or {table: column for folder in folders_in(path) for table, column in _naming(path / folder).items()}
    if len(naming) == 1:
        return {"": next(iter(naming))}
    if len(set(naming.values())) != 1:
        return {}
    by_split = table_files.named_after_splits([table.relative_to(path).as_posix() for table in naming])
    found = {name: [table for table in naming if table.relative_to(path).parts[0] == each] for name, each in by_split.items()}
    return {name: each[0] for name, each in found.items()} if all(len(each) == 1 for each in found.values()) else {}


def _naming(folder: Path) -> dict[Path, PictureColumn]:
    found = {path: find(path) for path in sorted(folder.iterdir()) if not path.name.startswith((".", "_")) and path.is_file()}
    return {path: column for path, column in found.items() if column}


def _csv_head(path: Path) -> dict[str, pa.Array]:
    found = sniff(path)
    [part] = csv_file.open_csv([path], found.dialect, dict.fromkeys(found.columns, pa.string()))
    rows = next(part.read(lambda _: None), None)
    return {name: rows.batch.column(name) for name in found.columns} if rows else {}


def _json_head(path: Path) -> dict[str, pa.Array]:
    objects = next(json_lines.objects(path, lambda _: None), [])[:_HEAD]
    return {name: json_lines.as_text([each.get(name) for each in objects]).values for name in dict.fromkeys(itertools.chain(*objects))}


def _parquet_head(path: Path) -> dict[str, pa.Array]:
    schema, groups = parquet_file.look(path)
    names = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
    batch = next(parquet_file.read_group(groups[0], names), None) if names else None
    return {name: batch.column(name)[:_HEAD] for name in batch.schema.names} if batch else {}


_HEADS = {"csv": _csv_head, "jsonl": _json_head, "parquet": _parquet_head}


def look(path: Path, picture: PictureColumn, columns: Sequence[Column]) -> PictureSample:
    """Some of the pictures that `columns` of the table `path` name, labelled with their names.

    Raises:
      DataError: none of them can be read.
    """
    folder = path.parent / (picture.below or "")
    values = [value for column in columns for value in _spread(column.distinct, _SAMPLED // len(columns))]
    return picture_sample.read(folder, _pictures(folder, values), PictureSettings())


def _spread(values: pa.Array, count: int) -> list[str]:
    """So many of the values, from the first to the last one."""
    return values.take(pa.array(np.unique(np.linspace(0, len(values) - 1, count).astype(int)))).to_pylist()


def _pictures(folder: Path, values: Iterable[str]) -> list[Picture]:
    return [Picture(named_file(folder, value) or value, value, None) for value in values if not is_outside(value)]
