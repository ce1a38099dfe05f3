"""Tables whose rows are points of series -> rows that hold, as lists, what was known by then: the rows of the same key before them.

one pass over all parts: key, time and the numbers of each row, sorted by key and time, kept in files
-> each part as it is read: in place of a number, the numbers of the rows of its key up to it

Memory of the pass: twelve bytes a row, and four for each column of numbers; as much again while they are sorted. A worker maps the files.
"""

import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen import time_order
from components.example_gen.columns import Columns
from components.example_gen.config import DataConfig
from components.example_gen.readers import cells
from components.example_gen.readers.cells import Column
from components.example_gen.readers.rows import Part, Reject, Rows, without
from components.example_gen.readers.typed import converted
from trainer.errors import DataError
from trainer.problem import Joined

_PARTS = {None: 0, "train": 0, "eval": 1, "test": 2}  # in which order those of equal times stand
_BETWEEN = "\x1f"  # the columns of a key
_FILES = ("places", "starts", "values")


def notes(config: DataConfig) -> list[str]:
    """Lines for a person about how such rows are divided."""
    given = config.splits
    if config.series is None or any((given.column, given.files, given.group, given.time)):
        return []
    return [
        "Neighbouring rows share their past, and chance divides them: the test split is easier than the future will be. "
        f"Try `data.splits: {{time: {config.series.time}}}`."
    ]


def with_past(parts: Sequence[Part], columns: Columns, folder: str, *, must_be_any: bool = False) -> list[Part]:
    """The parts with the lists of `columns.joined`. A row's past may be in any part; one without a key or a time has empty lists.

    Args:
      parts: of tables, with the columns that `columns.arrow_types` names.
      columns: what is kept, and which rows make a series.
      folder: where what all rows have is kept; it must be there for as long as the parts are read.
      must_be_any: whether a list that is empty in every row is refused, from which nothing could be learnt.

    Raises:
      DataError: no row has a key and a time, or, with `must_be_any`, none has a past.
    """
    points = _Points(columns)
    ranges: dict[int, tuple[int, int]] = {}
    for number in sorted(range(len(parts)), key=lambda number: _PARTS[parts[number].split]):
        first = points.count
        for rows in parts[number].read(lambda reject: None):  # told of by whoever reads the part
            points.add(rows.batch)
        ranges[number] = first, points.count
    longest = points.save(folder)
    before = max(points.joined.before.values())
    if must_be_any and longest <= before:
        alike = f"rows of the same {', '.join(points.joined.key)}" if points.joined.key else "rows"
        raise DataError(
            f"Expected at least {before + 1:,} {alike}, for a row's list ends {before:,} before it (`data.series`). "
            f"Received: {longest:,} at most. Name another `key`, or set a smaller `ahead`."
        )
    reading = _Reading(columns, points.is_number, folder)
    return [dataclasses.replace(part, read=functools.partial(_read, part, reading, *ranges[number])) for number, part in enumerate(parts)]


class _Reading(NamedTuple):
    """All that joining needs, so that a part can be sent to a worker."""

    columns: Columns
    is_number: bool  # whether times that are text are numbers
    folder: str


class _Points:
    """Key, time and numbers of all rows, in the order in which they are added."""

    def __init__(self, columns: Columns) -> None:
        self._columns, self.joined = columns, _joined(columns)
        self._codes: dict[str, int] = {}  # by key
        self._parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.count = 0
        self.is_number: bool | None = None  # as the first time says that there is

    def add(self, batch: pa.RecordBatch) -> None:
        """Adds rows."""
        texts = batch.column(self.joined.time)
        if self.is_number is None and pa.types.is_string(texts.type) and texts.null_count < len(texts):
            self.is_number = time_order.are_numbers(texts)
        times, _ = _times(texts, self._columns, bool(self.is_number))
        numbers = np.stack([_numbers(batch.column(name)) for name in _sources(self.joined)], axis=1)
        self._parts.append((self._keys(batch), times, numbers.astype(np.float32)))  # as a tf.Example has them
        self.count += batch.num_rows

    def _keys(self, batch: pa.RecordBatch) -> np.ndarray:
        """int32 (rows,), -1 where there is none."""
        if not self.joined.key:
            return np.zeros(batch.num_rows, np.int32)
        texts = [batch.column(name).cast(pa.string()) for name in self.joined.key]
        found = (texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, _BETWEEN)).dictionary_encode()
        codes = np.array([self._codes.setdefault(key, len(self._codes)) for key in found.dictionary.to_pylist()], np.int32)
        own = pc.fill_null(found.indices, -1).to_numpy(zero_copy_only=False)
        return np.where(own >= 0, codes[own] if len(codes) else -1, -1).astype(np.int32)

    def save(self, folder: str) -> int:
        """Keeps for each row its place among all in order, and for each place where its key begins, and the numbers.

        Returns the rows of the key that has the most.
        """
        parts = list(zip(*self._parts, strict=True)) or [[np.zeros(0)]] * 3
        self._parts.clear()
        keys, times, values = (np.concatenate(each) for each in parts)
        there = np.flatnonzero((keys >= 0) & np.isfinite(times))
        if not len(there):
            key = ", ".join(self.joined.key)
            raise DataError(
                f"Expected rows with a time in '{self.joined.time}'{f' and a key in {key}' if key else ''} (`data.series`). "
                f"Received: none of {len(keys):,}. Name other columns."
            )
        order = there[np.lexsort((times[there], keys[there]))]  # which is stable: equal times keep the order of their rows
        places = np.full(len(keys), -1, np.int64)
        places[order] = np.arange(len(order))
        is_first = np.concatenate([[True], np.diff(keys[order]) != 0])
        starts = np.maximum.accumulate(np.where(is_first, np.arange(len(order)), 0))
        for name, array in zip(_FILES, (places, starts, values[order]), strict=True):
            np.save(os.path.join(folder, f"{name}.npy"), array)
        return int(np.bincount(keys[order]).max())


def _joined(columns: Columns) -> Joined:
    if columns.joined is None:
        raise ValueError("Expected `columns.joined`. Received: None.")
    return columns.joined


def _sources(joined: Joined) -> list[str]:
    """The columns of numbers, each once."""
    return list(dict.fromkeys(joined.of.values()))


def _times(times: pa.Array, columns: Columns, is_number: bool) -> tuple[np.ndarray, dict[int, str]]:
    """float64 (rows,) by which rows are ordered, NaN where there is none; and why a text is none, by row."""
    column = Column(times, {})
    if pa.types.is_string(times.type):
        order = columns.orders.get(_joined(columns).time, "year_first")
        column = cells.numbers(times) if is_number else cells.times(times, order)
    return _numbers(column.values), column.wrong


def _numbers(column: pa.Array) -> np.ndarray:
    """float64 (rows,), NaN where there is none, or what is none."""
    return converted(column, pa.float64()).values.to_numpy(zero_copy_only=False).astype(np.float64)


def _read(part: Part, reading: _Reading, first: int, last: int, reject: Callable[[Reject], None]) -> Iterator[Rows]:
    """As `Part.read`, of the rows that were added as the numbers from `first` to `last`."""
    joined = _joined(reading.columns)
    places, starts, values = (np.load(os.path.join(reading.folder, f"{name}.npy"), mmap_mode="r") for name in _FILES)
    for rows in part.read(reject):
        own = np.asarray(places[first : first + len(rows.lines)])
        first += len(rows.lines)
        if first > last:
            break
        arrays = dict(zip(rows.batch.schema.names, rows.batch.columns, strict=True))
        times, wrong = _times(arrays[joined.time], reading.columns, reading.is_number)
        reasons = _no_numbers(arrays, _sources(joined)) | {row: f"column '{joined.time}': {reason}" for row, reason in wrong.items()}
        if joined.time not in reading.columns.kept:
            arrays[joined.time] = pa.array(times, from_pandas=True)
        for name, source in joined.of.items():
            begins, ends = _window(own, starts, joined.length, joined.before[name])
            arrays[name] = _lists(begins, ends, values[:, _sources(joined).index(source)])
        batch = pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))
        good = without(rows._replace(batch=batch), reasons, reject)
        del rows, batch, arrays  # before the next ones are read
        if len(good.lines):
            yield good
    if first != last:
        raise DataError(f"Expected '{part.name}' to have the rows that it had a moment ago. Received others. Run again.")


def _no_numbers(arrays: Mapping[str, pa.Array], sources: Sequence[str]) -> dict[int, str]:
    """Why a value is no number, by row, of columns that are kept as text, too; of other columns it has been told as they were read."""
    texts = {name: converted(arrays[name], pa.float64()).wrong for name in sources if not pa.types.is_floating(arrays[name].type)}
    return {row: f"column '{name}': {reason}" for name, wrong in texts.items() for row, reason in wrong.items()}


def _window(places: np.ndarray, starts: np.ndarray, length: int, before: int) -> tuple[np.ndarray, np.ndarray]:
    """int64 (rows,) each: from where to where each row's list is among the numbers in order; from 0 to 0 without a place."""
    is_there = places >= 0
    ends = np.where(is_there, places + 1 - before, 0)
    begins = np.where(is_there, np.maximum(starts[np.maximum(places, 0)], ends - length), 0)
    return begins, np.maximum(ends, begins)


def _lists(begins: np.ndarray, ends: np.ndarray, values: np.ndarray) -> pa.Array:
    """list<float> (rows,)."""
    offsets = np.concatenate([[0], np.cumsum(ends - begins)])
    numbers = np.repeat(begins - offsets[:-1], ends - begins) + np.arange(offsets[-1])
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), pa.array(values[numbers]))
