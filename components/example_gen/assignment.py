"""What is kept of a batch of rows, and to which split each of them goes; the same rows go there whenever they are read."""

import dataclasses
from collections.abc import Iterable
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa

from components.example_gen import row_weights, separated, split, time_split
from components.example_gen.columns import Columns
from components.example_gen.config import SplitsConfig
from components.example_gen.readers.rows import Part, Rows
from trainer.errors import DataError


class Assigned(NamedTuple):
    """A batch of rows.

    Attributes:
      batch: its kept columns.
      splits: str (rows,), "" for a row that goes nowhere.
      lacking: bool (rows,) by column, which rows go nowhere because they have no value there.
    """

    batch: pa.RecordBatch
    splits: np.ndarray
    lacking: dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Assignment:
    """How the rows of all parts are divided.

    Attributes:
      config: the settings.
      columns: those that are kept, and the label among them.
      divided: the splits that have no official part.
      latest: the latest time of each split, where rows are divided by time.
    """

    config: SplitsConfig
    columns: Columns
    divided: tuple[str, ...]
    latest: dict[str, float] | None

    @classmethod
    def of(cls, parts: list[Part], config: SplitsConfig, columns: Columns) -> Self:
        """That of these parts, which are read once where rows are divided by time. Raises as `time_split.bounds`."""
        official = {part.split for part in parts}
        divided = tuple(name for name in split.SPLITS if name not in official)
        return cls(config, columns, divided, time_split.bounds(parts, config) if config.time else None)

    def assigned(self, rows: Rows, official: str | None) -> Assigned:
        """The `rows` of a part whose split is `official`, None where they are divided. Raises DataError."""
        splits, lacking = self._splits(rows, official), {}
        if self.latest is not None and self.config.time and not official:
            lacking[self.config.time] = splits == ""
        batch = only(rows.batch, self.columns.kept) if self.columns.kept else rows.batch
        if self.columns.separator:
            batch = separated.labels(batch, self.columns)
        if joined := self.columns.joined:
            for name in (joined.time, *joined.key):
                is_missing = np.asarray(rows.batch.column(name).is_null())
                lacking[name] = lacking.get(name, False) | (is_missing & (splits != ""))  # a row without both is told of once
                splits = np.where(is_missing, "", splits)
        if name := self.columns.weight:
            is_missing = row_weights.missing(batch.column(name), name, rows)
            lacking[name] = lacking.get(name, False) | (is_missing & (splits != ""))
            splits = np.where(is_missing, "", splits)
        if self.columns.label:
            is_labelled = np.asarray(batch.column(self.columns.label).is_valid())
            lacking = {name: is_missing & is_labelled for name, is_missing in lacking.items()} | {self.columns.label: ~is_labelled}
            splits = np.where(is_labelled, splits, "")
        return Assigned(batch, splits, lacking)

    def _splits(self, rows: Rows, official: str | None) -> np.ndarray:
        if official:
            return np.full(len(rows.lines), official)
        if self.config.column:
            named = split.named(rows.batch.column(self.config.column), self.config.column)
            unknown = np.flatnonzero(named == "")
            if len(unknown):
                value = rows.batch.column(self.config.column)[int(unknown[0])].as_py()
                raise DataError(
                    f"Expected train, eval or test in the column '{self.config.column}' (`data.splits.column`). "
                    f"Received: {'no value' if value is None else repr(value)} in line {rows.lines[unknown[0]]} of '{rows.file}'."
                )
            return named
        if self.latest is not None:
            return time_split.assign(rows.batch.column(self.config.time), self.latest, self.config.time or "")
        if self.config.group:
            return split.assign(split.hashes_of_rows(only(rows.batch, [self.config.group])), self.config, self.divided)
        hashes = split.hashes_of_rows(self._content(rows.batch)) if rows.hashes is None else rows.hashes
        return split.assign(hashes, self.config, self.divided)

    def _content(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Without the weight: rows that differ in it alone are of one split, and another column of weights moves none."""
        return only(batch, [name for name in batch.schema.names if name != self.columns.weight]) if self.columns.weight else batch


def only(batch: pa.RecordBatch, names: Iterable[str]) -> pa.RecordBatch:
    """The columns of these names; pyarrow 10 has no `select` of its own."""
    wanted = list(names)
    return pa.RecordBatch.from_arrays([batch.column(name) for name in wanted], names=wanted)
