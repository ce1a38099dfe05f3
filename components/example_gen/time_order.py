"""A column of CSV by which rows are ordered and which the model is not given -> numbers that rise with it.

texts of the first rows -> numbers alone: of any count, in whatever unit, they are the order themselves -> else times, in seconds

Read as times, counted steps would go back and forth: 1499 is a spreadsheet's day, 1500 a year.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from components.example_gen.readers import cells
from components.example_gen.readers.cells import Column, TimeOrder
from components.example_gen.readers.dialect import Dialect
from components.example_gen.readers.rows import Part, Reject, Rows, without


def are_numbers(texts: pa.Array, decimal: str = ".", thousands: str | None = None) -> bool:
    """Whether all of string (rows,) that are there are numbers."""
    return not cells.numbers(texts, decimal, thousands=thousands).wrong


def with_numbers(parts: Sequence[Part], column: str, order: TimeOrder, dialect: Dialect) -> list[Part]:
    """The parts with `column`, a text, as numbers, or as times written in `order`; a row in which it is neither is told and left out."""
    first = next((texts for part in parts for texts in _given(part, column)), None)
    written = {"decimal": dialect.decimal, "thousands": dialect.thousands}
    is_number = first is not None and are_numbers(first, **written)
    parsed = functools.partial(cells.numbers, **written) if is_number else functools.partial(cells.times, order=order)
    return [dataclasses.replace(part, read=functools.partial(_read, part, column, parsed)) for part in parts]


def _given(part: Part, column: str) -> Iterator[pa.Array]:
    """The values of each batch of rows that has any."""
    for rows in part.read(lambda reject: None):  # told of by whoever reads the part
        texts = rows.batch.column(column)
        if texts.null_count < len(texts):
            yield texts


def _read(part: Part, column: str, parsed: Callable[[pa.Array], Column], reject: Callable[[Reject], None]) -> Iterator[Rows]:
    """As `Part.read`."""
    for rows in part.read(reject):
        arrays = dict(zip(rows.batch.schema.names, rows.batch.columns, strict=True))
        found = parsed(arrays[column])
        arrays[column] = found.values
        batch = pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))
        reasons = {row: f"column '{column}': {reason}" for row, reason in found.wrong.items()}
        good = without(rows._replace(batch=batch), reasons, reject)
        del rows, batch, arrays  # before the next ones are read
        if len(good.lines):
            yield good
