"""What every reader gives: rows as Arrow record batches, each row with its place in a file, so that memory does not grow with the data."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from components.example_gen.spans import Span
from trainer.errors import printable

MOST_ROWS = 10_000  # of one batch
MOST_BYTES = 1 << 26  # of one batch, however large its rows are


class Rows(NamedTuple):
    """Neighbouring rows of one file.

    Attributes:
      batch: the columns under the user's own names; string, float64, int64, binary, or a list of one of them. Null is a missing value.
      lines: int64 (rows,), where each row begins: the line in a text file, else the number of the row, both from 1 on.
      file: the file as people know it, `train.csv` or `photos.zip/cat/7.jpg`; where each row is a file of its own, one name a row.
      hashes: uint64 (rows,) of each row's content, by which it is given to a split; None for a hash of all of its columns.
    """

    batch: pa.RecordBatch
    lines: np.ndarray
    file: str | list[str]
    hashes: np.ndarray | None = None


class Reject(NamedTuple):
    """A row or file that cannot be read."""

    file: str
    line: int  # as in Rows; 0 where it is the file as a whole
    reason: str


@dataclasses.dataclass(frozen=True)
class Part:
    """One part of the raw data, read in order by one worker.

    Attributes:
      split: the official split this part is (`test`), or None where rows are divided.
      name: the file or folder, for people.
      files: sha256 (hexadecimal) by name of the raw files; empty for bundled data.
      read: yields the rows, at most MOST_ROWS and, where there is more than one, MOST_BYTES at a time, and tells of each one it leaves out.
        Raises DataError, at the latest behind the last row, where a file is not the one in `files`, or cannot be read at all.
      span: the span that it is of, None where the data has none.
    """

    split: str | None
    name: str
    files: Mapping[str, str]
    read: Callable[[Callable[[Reject], None]], Iterator[Rows]]
    span: Span | None = None


def place(part: Part, rows: Rows, number: int) -> str:
    """Where the row of that number in `rows` stands, for people: `line 3 of train.csv`, or the file where it is one by itself."""
    file = rows.file if isinstance(rows.file, str) else rows.file[number]
    of = f"{file} of span {part.span.number}" if part.span else file
    return printable(f"line {rows.lines[number]} of {of}" if isinstance(rows.file, str) else of)


def without(rows: Rows, reasons: Mapping[int, str], reject: Callable[[Reject], None]) -> Rows:
    """The rows without those that have a reason, by their number, which are told."""
    if not reasons:
        return rows
    files = [rows.file] * len(rows.lines) if isinstance(rows.file, str) else rows.file
    for row in sorted(reasons):
        reject(Reject(files[row], int(rows.lines[row]), reasons[row]))
    kept = np.setdiff1d(np.arange(len(rows.lines)), list(reasons))
    return Rows(
        rows.batch.take(pa.array(kept)),
        rows.lines[kept],
        rows.file if isinstance(rows.file, str) else [files[row] for row in kept.tolist()],
        None if rows.hashes is None else rows.hashes[kept],
    )
