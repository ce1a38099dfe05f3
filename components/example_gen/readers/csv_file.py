"""Reads CSV and TSV: rows in blocks of records that Arrow parses; memory does not grow with the file.

check names and take digests -> unpack and decode in blocks -> cut at the ends of records -> parse with Arrow, only the named columns
-> numbers and times -> is it still the file that was checked?
"""

import collections
import functools
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import csv

from components.example_gen.readers import cells, no_rows, spelling, units
from components.example_gen.readers.data_files import check_column
from components.example_gen.readers.dialect import Dialect, column_names, fields
from components.example_gen.readers.encoding import binary_name, label, to_utf8
from components.example_gen.readers.raw_file import RawFile, sha256
from components.example_gen.readers.records import UNDECODABLE, Records, cut
from components.example_gen.readers.rows import MOST_BYTES, MOST_ROWS, Part, Reject, Rows
from trainer.errors import ConfigError, DataError

_WORKERS = 2  # threads that parse while this one reads, decodes and cuts
_TEXT = pa.string()
_MORE = "Copy or download it again."


def open_csv(
    paths: Iterable[Path],
    dialect: Dialect,
    columns: Mapping[str, pa.DataType],
    orders: Mapping[str, cells.TimeOrder] | None = None,
) -> list[Part]:
    """One part for each file, whose batches hold `columns` in their order.

    Args:
      paths: files of one dialect, gzipped or not.
      dialect: how they are written.
      columns: by name: pa.string() for the value as it stands in the file, pa.float64() for a number, pa.int64() for a time, which is
        given in seconds since 1970, UTC.
      orders: of the columns of times whose dates do not begin with the year, whether the day or the month comes first.

    Raises:
      ConfigError: there is no such file or column.
      DataError: a file without rows, one that is no text, or a column that is there twice.
    """
    return [_open(Path(path), dialect, columns, orders or {}) for path in paths]


def _open(path: Path, dialect: Dialect, columns: Mapping[str, pa.DataType], orders: Mapping[str, cells.TimeOrder]) -> Part:
    if not path.is_file():
        raise ConfigError(f"Expected a CSV or TSV file. Received: '{path}', which is {'a folder' if path.is_dir() else 'not there'}.")
    digest = sha256(path)  # first: whatever changes after this is noticed
    start = next(RawFile(path).blocks(1 << 16), b"")
    if name := binary_name(start):
        raise DataError(f"Expected a CSV or TSV file. Received '{path}', which is {name}.")
    rows = _records(RawFile(path), dialect)
    first = next(rows, None)
    if first is None:
        empty = "is empty" if not start else f"has nothing behind its first {dialect.skip:,} lines"
        raise DataError(f"Expected rows in '{path}'. Received: a file that {empty}. {_MORE}")
    names = _names(path, first, dialect)
    if dialect.header and len(first.starts) == 1 and next(rows, None) is None:
        raise DataError(f"Expected rows in '{path}'. Received: a file of only a header, {len(names)} columns. {_MORE}")
    for name in columns:
        check_column(path, name, names, names.count(name))
    reading = _Reading(path, dialect, tuple(names), dict(columns), dict(orders), digest)
    return Part(split=None, name=path.name, files={path.name: digest}, read=functools.partial(_read, reading))


def _records(file: RawFile, dialect: Dialect) -> Iterator[Records]:
    text = to_utf8(file.blocks(), dialect.encoding)
    return no_rows.marked(cut(text, dialect.delimiter, dialect.quote, dialect.skip, f"'{file.path}'"), dialect)


def names_in(path: Path, dialect: Dialect) -> list[str]:
    """The names of a file's columns, as they are read; none of a file without rows."""
    first = next(_records(RawFile(path), dialect), None)
    return _names(path, first, dialect) if first else []


def _names(path: Path, first: Records, dialect: Dialect) -> list[str]:
    if not dialect.header and dialect.names is not None:
        return list(dialect.names)
    if 0 in first.broken:
        raise DataError(f"Expected the columns' names in line {first.lines[0]} of '{path}'. Received: {first.broken[0]}.")
    [record] = fields([first.data[first.starts[0] : first.ends[0]].tobytes().decode()], dialect)
    return column_names(record if dialect.header else [""] * len(record))


class _Reading(NamedTuple):
    """All that reading a file needs, so that a part can be sent to a worker."""

    path: Path
    dialect: Dialect
    names: tuple[str, ...]
    columns: dict[str, pa.DataType]
    orders: dict[str, cells.TimeOrder]
    digest: str


def _read(reading: _Reading, reject: Callable[[Reject], None]) -> Iterator[Rows]:
    """As `Part.read`."""
    file, odd = RawFile(reading.path), threading.Event()
    with ThreadPoolExecutor(_WORKERS) as pool:
        waiting: collections.deque[Future[tuple[Rows, list[Reject]]]] = collections.deque()
        for piece in itertools.chain(_pieces(_records(file, reading.dialect), reading.dialect.header), [None]):
            if piece is not None:
                waiting.append(pool.submit(_parse, piece, reading, odd))
            while waiting and (piece is None or len(waiting) > _WORKERS):
                rows, rejects = waiting.popleft().result()
                for rejected in rejects:
                    reject(rejected)
                if len(rows.lines):
                    yield rows
    if file.digest != reading.digest:
        raise DataError(
            f"Expected '{reading.path}' to stay as it is while it is read. Received: another content than a moment ago. Run again."
        )


def _pieces(blocks: Iterable[Records], header: bool) -> Iterator[Records]:
    """The same records, at most MOST_ROWS and MOST_BYTES at a time, without the header."""
    for block in blocks:
        start = int(header)
        header = False
        while start < len(block.starts):
            stop = min(start + MOST_ROWS, int(np.searchsorted(block.ends, block.starts[start] + MOST_BYTES)))
            stop = max(stop, start + 1)
            yield _piece(block, start, stop)
            start = stop


def _piece(block: Records, start: int, stop: int) -> Records:
    begin = int(block.starts[start])
    end = int(block.starts[stop]) if stop < len(block.starts) else len(block.data)
    edges = block.edges[slice(*np.searchsorted(block.edges, (begin, end)))] - begin
    broken = {number - start: reason for number, reason in block.broken.items() if start <= number < stop}
    return Records(
        block.data[begin:end], block.starts[start:stop] - begin, block.ends[start:stop] - begin, block.lines[start:stop], edges, broken
    )


def _parse(piece: Records, reading: _Reading, odd: threading.Event) -> tuple[Rows, list[Reject]]:
    """The rows, and what is left out. `odd` is set at the first numbers that no program writes: such a file has more of them."""
    dialect, file, width = reading.dialect, reading.path.name, len(reading.names)
    rejects: dict[int, str] = {}
    lines = piece.lines
    table = None
    if not piece.broken and len(dialect.delimiter) == 1 and not _has_blank(piece, width):
        table = _parsed(piece.data, reading, odd)
    if table is None or table.num_rows != len(lines):
        data, lines, rejects = _mended(piece, dialect, width)
        table = _arrow(data, reading)
        if table is None or table.num_rows != len(lines):
            raise DataError(
                f"Expected {len(lines):,} rows from line {piece.lines[0]:,} of '{reading.path}'. "
                f"Received: {table.num_rows if table else 'fewer'}. Look for quotes there."
            )
    batch, wrong = _convert(table, reading)
    if wrong:
        rejects |= {int(lines[row]): reason for row, reason in wrong.items()}
        is_good = np.ones(len(lines), bool)
        is_good[list(wrong)] = False
        batch, lines = batch.filter(pa.array(is_good)), lines[is_good]
    return Rows(batch, lines, file), [Reject(file, line, rejects[line]) for line in sorted(rejects)]


def _has_blank(piece: Records, width: int) -> bool:
    """Whether a record may be of spaces or delimiters only, which are no rows: it is short then."""
    return bool(width > 1 and (piece.ends - piece.starts <= width).any())


def _parsed(data: np.ndarray, reading: _Reading, odd: threading.Event) -> pa.Table | None:
    """As `_arrow`, with numbers as float64, which spares writing out their text, unless `cells.py` has to look at one of them."""
    if odd.is_set():
        return _arrow(data, reading)
    try:
        table = _arrow(data, reading, pa.float64())
    except pa.ArrowInvalid:
        odd.set()
        return _arrow(data, reading)
    if table is None:
        return None
    columns = [cells.finite(column) if pa.types.is_floating(column.type) else column for column in table.columns]
    if any(column is None for column in columns):
        odd.set()
        return _arrow(data, reading)
    return pa.table(columns, names=table.column_names)


def _arrow(data: np.ndarray, reading: _Reading, number: pa.DataType = _TEXT) -> pa.Table | None:
    """The named columns as strings, those of numbers as `number`; None where a record has too many or too few fields."""
    columns = [str(reading.names.index(name)) for name in reading.columns]
    if not len(data):
        return pa.table({name: pa.array([], pa.string()) for name in columns})
    ragged: list[object] = []

    def note(row: object) -> str:
        ragged.append(row)
        return "skip"

    table = csv.read_csv(
        pa.py_buffer(data),
        # Columns go by their place: names may be there twice, or be anything.
        csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=[str(place) for place in range(len(reading.names))]),
        csv.ParseOptions(
            delimiter=reading.dialect.delimiter[0],
            quote_char=reading.dialect.quote or False,
            newlines_in_values=True,
            invalid_row_handler=note,
        ),
        csv.ConvertOptions(
            check_utf8=False,  # it was decoded
            column_types={
                column: number if pa.types.is_floating(kind) else pa.string()
                for column, kind in zip(columns, reading.columns.values(), strict=True)
            },
            decimal_point=reading.dialect.decimal,
            include_columns=columns,
            null_values=list(reading.dialect.missing),
            strings_can_be_null=True,
        ),
    )
    return None if ragged else table


def _mended(piece: Records, dialect: Dialect, width: int) -> tuple[np.ndarray, np.ndarray, dict[int, str]]:
    """(the text without what is no row, the line of each row left, {line: why it is left out}).

    Left out are broken records and those of another width. Empty fields at the end beyond the last column go, and so do spaces behind the
    delimiter where the dialect says so. Records of spaces and delimiters only, and those of `no_rows.py`, are no rows and are not spoken
    of.
    """
    data, starts, ends = piece.data, piece.starts, piece.ends.copy()
    delimiters = np.flatnonzero(data == ord(dialect.delimiter[0]))
    delimiters = delimiters[np.searchsorted(piece.edges, delimiters) % 2 == 0]
    counts = np.searchsorted(delimiters, ends) - np.searchsorted(delimiters, starts) + 1
    while (trailing := (counts > width) & (ends > starts) & (data[ends - 1] == ord(dialect.delimiter[0]))).any():
        ends, counts = ends - trailing, counts - trailing
    rejects: dict[int, str] = {}
    is_good = (counts == width) & (ends > starts)
    is_good[list(piece.broken)] = False
    short = np.flatnonzero(~is_good | ((ends - starts <= width) & (width > 1)))
    blank = (dialect.delimiter + " \t").encode()
    for number in short.tolist():
        text = data[starts[number] : piece.ends[number]].tobytes()
        if not text.strip(blank):
            is_good[number] = False
        elif not is_good[number] and piece.broken.get(number) != no_rows.NO_ROW:
            reason = piece.broken.get(number) or f"{_counted(int(counts[number]), 'field')} instead of {width}"
            line = int(piece.lines[number])
            rejects[line] = f"bytes that are not {label(dialect.encoding)}" if reason == UNDECODABLE else reason
    steps = np.zeros(len(data) + 1, np.int8)
    steps[starts[is_good]] += 1
    steps[ends[is_good]] -= 1
    keep = np.cumsum(steps[:-1], dtype=np.int8).astype(bool)
    data = data.copy()
    after = ends[is_good]
    data, keep = np.append(data, np.uint8(10)), np.append(keep, False)
    data[after], keep[after] = 10, True  # a line end behind each
    if len(dialect.delimiter) > 1:
        at = delimiters + 1
        while len(at := at[(at < len(data)) & (data[np.minimum(at, len(data) - 1)] == 32)]):
            keep[at] = False
            at = at + 1
    return data[keep], piece.lines[is_good], rejects


def _convert(table: pa.Table, reading: _Reading) -> tuple[pa.RecordBatch, dict[int, str]]:
    """The batch, and {row: why it is left out}."""
    arrays, wrong = [], {}
    for name, kind, strings in zip(reading.columns, reading.columns.values(), table.columns, strict=True):
        column = strings.combine_chunks() if strings.num_chunks != 1 else strings.chunk(0)
        column = spelling.unified(column, reading.dialect) if pa.types.is_string(column.type) else column
        if column.type != kind:
            if pa.types.is_floating(kind):
                column = units.without(column, reading.dialect.units.get(name))
                converted = cells.numbers(column, reading.dialect.decimal, reading.dialect.missing, reading.dialect.thousands)
            else:
                converted = cells.times(column, reading.orders.get(name, "year_first"), reading.dialect.missing)
            column = converted.values
            for row, why in converted.wrong.items():
                wrong.setdefault(row, f"column '{name}': {why}")
        arrays.append(column)
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(list(reading.columns.items()))), wrong


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
