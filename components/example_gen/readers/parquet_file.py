"""Reads Parquet: the named columns of one file or many, in the types that are wanted; memory does not grow with the files.

check schemas and take digests -> row group by row group, some rows at once -> convert -> is it still the file that was checked?
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from components.example_gen.readers import cells
from components.example_gen.readers.data_files import check_column, check_unchanged, files_at
from components.example_gen.readers.encoding import binary_name
from components.example_gen.readers.raw_file import sha256
from components.example_gen.readers.rows import MOST_BYTES, MOST_ROWS, Part, Reject, Rows
from components.example_gen.readers.typed import converted, converts, good_rows
from trainer.errors import ConfigError, DataError, printable

SUFFIXES = (".parquet", ".parq", ".pq")
_MORE = "Copy or download it again."


def open_parquet(place: Path | str, columns: Mapping[str, pa.DataType], orders: Mapping[str, cells.TimeOrder] | None = None) -> list[Part]:
    """One part for each file that has rows, whose batches hold `columns` in their order; lines are numbers of rows.

    Args:
      place: a file, a folder or a pattern.
      columns: by name the type that is wanted: string, float64, int64, binary or a list of one; typed.py says what becomes what.
      orders: of the columns of times as text whose dates do not begin with the year, whether the day or the month comes first.

    Raises:
      ConfigError: there is no such file or column, or a column is of a type that cannot become the wanted one, as nested ones.
      DataError: a file that is no sound Parquet file, or no rows at all.
    """
    files = files_at(place, SUFFIXES, "Parquet files")
    parts = [part for name, path in files.items() if (part := _open(name, path, columns, orders or {}))]
    if not parts:
        raise _empty(place, len(files))
    return parts


def _empty(place: Path | str, files: int) -> DataError:
    return DataError(f"Expected rows in '{place}'. Received: {files:,} Parquet file{'s' * (files > 1)} without any.")


class RowGroup(NamedTuple):
    """Rows of a file that lie together.

    Attributes:
      path: the file.
      number: of the group in it.
      rows: how many.
      row_bytes: of a row of all columns, unpacked.
    """

    path: Path
    number: int
    rows: int
    row_bytes: float


def look(place: Path | str) -> tuple[pa.Schema, list[RowGroup]]:
    """The columns of the first file and the row groups of all, none of them read. Raises as `open_parquet`."""
    schema, groups, files = None, [], files_at(place, SUFFIXES, "Parquet files")
    for path in files.values():
        with _opened(path) as file:
            schema = schema or file.schema_arrow
            for column in schema.names:
                check_column(path, column, file.schema_arrow.names, file.schema_arrow.names.count(column))
            found = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
            groups += [
                RowGroup(path, number, group.num_rows, group.total_byte_size / group.num_rows)
                for number, group in enumerate(found)
                if group.num_rows
            ]
    if schema is None or not groups:
        raise _empty(place, len(files))
    return schema, groups


def read_group(group: RowGroup, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """The group's rows as they are, some at once. Raises DataError."""
    at_once = max(1, min(MOST_ROWS, int(MOST_BYTES / max(group.row_bytes, 1))))
    with _opened(group.path) as file:
        try:
            yield from file.iter_batches(at_once, [group.number], columns, use_threads=True)
        except (pa.ArrowException, OSError) as error:
            raise _broken(group.path, error) from error


def _open(name: str, path: Path, columns: Mapping[str, pa.DataType], orders: Mapping[str, cells.TimeOrder]) -> Part | None:
    digest = sha256(path)
    with _opened(path) as file:
        schema = file.schema_arrow
        for column, wanted in columns.items():
            check_column(path, column, schema.names, schema.names.count(column))
            given = schema.field(column).type
            if not converts(given, wanted):
                nested = pa.types.is_nested(given) and "nested, " * (not converts(given, pa.list_(pa.string())))
                raise ConfigError(
                    f"Expected the column '{column}' of '{path}' to be of the type {wanted} or one that can become it. "
                    f"Received: {nested or ''}{given}. Leave it out, or write it as another type."
                )
        has_rows = file.metadata.num_rows > 0
    read = functools.partial(_read, _Reading(name, path, dict(columns), orders, digest))
    return Part(None, name, {name: digest}, read) if has_rows else None


def _opened(path: Path) -> parquet.ParquetFile:
    try:
        return parquet.ParquetFile(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        with path.open("rb") as file:
            start = file.read(4096)
        if not start.startswith(b"PAR1"):
            what = binary_name(start) or ("another file" if start else "an empty file")
            raise DataError(f"Expected a Parquet file. Received '{path}', which is {what}.") from error
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception, row: int = 0) -> DataError:
    where = f" near row {row:,}" if row else ""
    cause = printable(" ".join(str(error).split()).rstrip("."))
    return DataError(f"Expected a sound Parquet file. Received '{path}', which is truncated or corrupt{where}: {cause}. {_MORE}")


class _Reading(NamedTuple):
    """All that reading a file needs, so that a part can be sent to a worker."""

    name: str
    path: Path
    columns: dict[str, pa.DataType]
    orders: Mapping[str, cells.TimeOrder]
    digest: str


def _read(reading: _Reading, reject: Callable[[Reject], None]) -> Iterator[Rows]:
    """As `Part.read`."""
    row = 1
    with _opened(reading.path) as file:
        batches = _batches(file, list(reading.columns))
        while True:
            try:
                batch = next(batches, None)
            except (pa.ArrowException, OSError) as error:
                raise _broken(reading.path, error, row) from error
            if batch is None:
                break
            yield from _rows(reading, batch, row, reject)
            row += batch.num_rows
            del batch  # before the next one is read
    check_unchanged(reading.path, reading.digest)


def _batches(file: parquet.ParquetFile, names: list[str]) -> Iterator[pa.RecordBatch]:
    for number in range(file.num_row_groups):
        group = file.metadata.row_group(number)
        if not group.num_rows:
            continue
        chunks = [group.column(index) for index in range(group.num_columns)]
        row_bytes = sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema.split(".")[0] in names) / group.num_rows
        at_once = max(1, min(MOST_ROWS, int(MOST_BYTES / max(row_bytes, 1))))
        yield from file.iter_batches(at_once, [number], names, use_threads=True)


def _rows(reading: _Reading, batch: pa.RecordBatch, first: int, reject: Callable[[Reject], None]) -> Iterator[Rows]:
    """Halves where a batch holds too many bytes: a few rows may hold most of them."""
    if batch.num_rows > 1 and batch.nbytes > MOST_BYTES:
        half = batch.num_rows // 2
        yield from _rows(reading, batch.slice(0, half), first, reject)
        yield from _rows(reading, batch.slice(half), first + half, reject)
        return
    columns = {
        name: converted(batch.column(batch.schema.get_field_index(name)), kind, reading.orders.get(name, "year_first"))
        for name, kind in reading.columns.items()
    }
    rows = good_rows(reading.name, columns, np.arange(first, first + batch.num_rows), reject)
    if len(rows.lines):
        yield rows
