"""A sample of a table's rows, spread over all of them, small enough to be kept in memory.

rows that a reader gives, block by block -> every row, or every second, fourth, ... one, as soon as there are too many
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from components.example_gen.left_out import Rejects
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


class Block(NamedTuple):
    """Neighbouring rows, of which only those that are wanted become text.

    Attributes:
      rows: how many.
      pick: those of the int64 numbers, counted from 0, every column as text.
    """

    rows: int
    pick: Callable[[np.ndarray], pa.RecordBatch]


def block(batch: pa.RecordBatch) -> Block:
    """Of rows that are text."""
    return Block(batch.num_rows, lambda wanted: batch if len(wanted) == batch.num_rows else batch.take(pa.array(wanted)))


def take(blocks: Iterable[Block], rejects: Rejects, place: str, most: int = MOST_ROWS, most_read: float = _MOST_READ) -> Sample:
    """At most `most` rows of the blocks, of which each may have other columns: where it has none, its values are missing.

    Args:
      blocks: neighbours as in the data.
      rejects: whatever tells of rows that are in no block.
      place: where they come from, for people.
      most: rows.
      most_read: bytes that all rows would have as text, behind which nothing is looked at.

    Raises:
      DataError: there is no row.
    """
    held: list[tuple[np.ndarray, pa.RecordBatch]] = []  # numbers of rows, and the rows
    head: pa.RecordBatch | None = None
    count, step, size, is_all = 0, 1, 0.0, True
    for each in blocks:
        if size > most_read:
            is_all = False
            break
        wanted = np.arange(-count % step, each.rows, step)
        if len(wanted):
            batch = each.pick(wanted)
            held.append((count + wanted, batch))
            head = batch if head is None else head
            size += batch.nbytes * each.rows / len(wanted)
        count += each.rows
        while step < count and (sum(len(numbers) for numbers, _ in held) > most or sum(kept.nbytes for _, kept in held) > _MOST_HELD):
            step *= 2
            held = [_every(step, numbers, kept) for numbers, kept in held]
    if head is None:
        raise DataError(f"Expected rows that can be read in '{place}'. Received: none{''.join(f'; {each}' for each in rejects.examples)}.")
    names = list(dict.fromkeys(name for _, kept in held for name in kept.schema.names))
    table = pa.Table.from_batches([_with(names, kept) for _, kept in held]).combine_chunks()
    return Sample(table, _with(names, head), count, is_all, rejects)


def column(table: pa.Table, name: str) -> pa.Array:
    """String (rows,) of a sample's table."""
    values = table.column(name)
    return values.chunk(0) if values.num_chunks else pa.array([], pa.string())


def _with(names: Iterable[str], batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with all these columns."""
    there = dict(zip(batch.schema.names, batch.columns, strict=True))
    missing = pa.nulls(batch.num_rows, pa.string())
    return pa.RecordBatch.from_arrays([there.get(name, missing) for name in names], names=list(names))


def _every(step: int, numbers: np.ndarray, batch: pa.RecordBatch) -> tuple[np.ndarray, pa.RecordBatch]:
    wanted = np.flatnonzero(numbers % step == 0)
    return (numbers, batch) if len(wanted) == len(numbers) else (numbers[wanted], batch.take(pa.array(wanted)))
