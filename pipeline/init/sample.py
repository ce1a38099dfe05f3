"""A sample of a table's rows, spread over all of them, small enough to be kept in memory.

every row that the reader gives -> every row, or every second, fourth, ... one, as soon as there are too many
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from components.example_gen.left_out import Rejects
from components.example_gen.readers import csv_file
from components.example_gen.readers.dialect import Dialect
from trainer.errors import DataError

MOST_ROWS = 200_000
_MOST_HELD = 1 << 28  # bytes
_MOST_READ = 1 << 30  # bytes of cells; what is behind them is not looked at


class Sample(NamedTuple):
    """Rows of a table.

    Attributes:
      table: the sampled rows, every column as text, null where the value is missing.
      head: the first rows, neighbours as in the file.
      rows: how many rows were read to take the sample.
      is_all: whether these are all rows of the data.
      rejects: rows that cannot be read.
    """

    table: pa.Table
    head: pa.RecordBatch
    rows: int
    is_all: bool
    rejects: Rejects

    @property
    def is_whole(self) -> bool:
        """Whether every row is in the sample."""
        return self.is_all and self.table.num_rows == self.rows

    @property
    def words(self) -> str:
        """How many rows there are and were looked at, for people."""
        counted = f"{self.rows:,} rows" if self.is_all else f"the first {self.rows:,} rows"
        return counted if self.table.num_rows == self.rows else f"{counted}, of which {self.table.num_rows:,} were looked at"


def read(paths: Iterable[Path], dialect: Dialect, columns: Iterable[str], most: int = MOST_ROWS) -> Sample:
    """At most `most` rows of the files.

    Raises:
      ConfigError: a file lacks one of the columns.
      DataError: a file cannot be read, or has no row.
    """
    parts = csv_file.open_csv(paths, dialect, dict.fromkeys(columns, pa.string()))
    rejects, head = Rejects(), None
    held: list[tuple[np.ndarray, pa.RecordBatch]] = []  # numbers of rows, and the rows
    count, step, size, is_all = 0, 1, 0, True
    for batch in (rows.batch for part in parts for rows in part.read(rejects.add)):
        if size > _MOST_READ:
            is_all = False
            break
        head = batch if head is None else head
        held.append(_every(step, np.arange(count, count + batch.num_rows), batch))
        count, size = count + batch.num_rows, size + batch.nbytes
        while step < count and (sum(len(numbers) for numbers, _ in held) > most or sum(kept.nbytes for _, kept in held) > _MOST_HELD):
            step *= 2
            held = [_every(step, numbers, kept) for numbers, kept in held]
    if head is None:
        raise DataError(
            f"Expected rows that can be read in '{parts[0].name}'. Received: none, {'; '.join(rejects.examples) or 'only blank ones'}."
        )
    table = pa.Table.from_batches([kept for _, kept in held]).combine_chunks()
    return Sample(table, head, count, is_all, rejects)


def _every(step: int, numbers: np.ndarray, batch: pa.RecordBatch) -> tuple[np.ndarray, pa.RecordBatch]:
    wanted = np.flatnonzero(numbers % step == 0)
    return (numbers, batch) if len(wanted) == len(numbers) else (numbers[wanted], batch.take(pa.array(wanted)))
