"""Looks at tables that name pictures: the table itself as its format is looked at, and some of the pictures."""

from pathlib import Path

from pipeline.init import csv_table, json_lines, parquet, picture_column
from pipeline.init.source import Source

_LOOKS = {".jsonl": json_lines.look, ".ndjson": json_lines.look, ".parquet": parquet.look, ".parq": parquet.look, ".pq": parquet.look}


def recognises(path: str) -> bool:
    """Whether it is a table that names pictures, or a folder of pictures with one, or with one for each split."""
    return bool(picture_column.tables(Path(path)))


def look(path: str) -> Source:
    """The table; of several that of the train split.

    Raises:
      ConfigError: no column can be used.
      DataError: a file cannot be read, or none of the pictures can.
    """
    tables = picture_column.tables(Path(path))
    first = tables.get("train") or next(iter(tables.values()))
    suffix = Path(first.name.casefold().removesuffix(".gz")).suffix
    source = _LOOKS.get(suffix, csv_table.look)(str(first))
    picture = picture_column.find(first)
    columns = [each for each in source.columns if picture and each.name in picture.names]
    if picture is None or not columns:
        return source
    seen = picture_column.look(first, picture, columns)
    source = source._replace(format="images", picture=picture, seen=seen)
    if "" in tables:
        return source
    by_split = {name: each.relative_to(path).as_posix() for name, each in tables.items()}
    return source._replace(place=path, by_split=by_split, reasons=(*source.reasons, "the table of train alone was looked at"))
