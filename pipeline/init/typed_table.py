"""Columns that have types of their own, as the text that they are read as; which of them no kind of feature can be read from.

some rows at once -> of those that are wanted each column's text and type -> columns, and why others cannot be used
"""

from collections.abc import Mapping
from typing import NamedTuple

import pyarrow as pa

from components.example_gen.readers.dialect import Dialect
from pipeline.init import sample
from pipeline.init.column import Column
from pipeline.init.source import Source
from trainer.errors import ConfigError, DataError

_NO_MARKERS = Dialect(missing=())  # null alone is missing


class Values(NamedTuple):
    """Some rows' values of a column.

    Attributes:
      text: string (rows,), null where missing.
      type: their own one, null where all are missing.
      fault: why they cannot be read as text, a clause for people; else empty.
    """

    text: pa.Array
    type: pa.DataType
    fault: str = ""


class Seen:
    """What the columns are, as far as rows have been looked at."""

    def __init__(self) -> None:
        self.types: dict[str, list[pa.DataType]] = {}
        self.faults: dict[str, str] = {}

    def text(self, columns: Mapping[str, Values]) -> pa.RecordBatch:
        """The texts of some rows, with the columns that they have."""
        for name, values in columns.items():
            known = self.types.setdefault(name, [])
            if values.type not in known and not pa.types.is_null(values.type):
                known.append(values.type)
            if values.fault:
                self.faults.setdefault(name, values.fault)
        return pa.RecordBatch.from_arrays([values.text for values in columns.values()], names=list(columns))

    def source(self, kind: str, place: str, taken: sample.Sample, words: str, by_split: dict[str, str]) -> Source:
        """What was looked at, as a source.

        Raises:
          ConfigError: no column can be used.
          DataError: there is none.
        """
        names = [name for name in self.types if name not in self.faults]
        if not self.types:
            raise DataError(f"Expected columns in '{place}'. Received: {taken.rows:,} rows without any.")
        if not names:
            listed = "; ".join(f"'{name}': {fault}" for name, fault in list(self.faults.items())[:5])
            raise ConfigError(f"Expected columns of one value a row in '{place}'. Received only: {listed}.")
        columns = [
            Column(name, sample.column(taken.table, name), _NO_MARKERS, taken.head.column(name), (self.types[name] or [pa.null()])[0])
            for name in names
        ]
        return Source(kind, place, taken, columns, dict(self.faults), by_split, None, (words,), ())
