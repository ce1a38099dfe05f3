"""Rows of features for `tapeline predict`, from CSV or JSON lines, and what kind each column of them is.

the model's signature, --column, or else all cells of the column -> its kind -> every cell as that kind, or one line that names the cell

A cell of CSV is a `str`, which may be read as a number; a string of JSON is `bytes`, which is one already.
"""

import difflib
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from serving.errors import InputFileError, InvalidArgumentError
from serving.named_picture import SUFFIXES, file_size, named_picture
from serving.not_that import NotThat
from serving.row_batches import bytes_in
from serving.tensors import STRING, dtype_name, numpy_dtype

FLOAT, INT64 = 1, 9  # TensorFlow's numbers of the kinds that a tf.Example has, beside STRING
KINDS = {"int64": INT64, "float": FLOAT, "string": STRING}
_WIDTHS = (INT64, FLOAT, STRING)  # what fits into one kind fits into the next, as far as text goes

# Looks like a number to everyone. `01234` is a code, `1_000` is Python, and `nan` may be a name.
_LOOKS_INTEGER = re.compile(r"\s*[+-]?(0|[1-9][0-9]*)\s*", re.ASCII)
_LOOKS_NUMBER = re.compile(r"\s*[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*", re.ASCII)
# Can be read as one where one is wanted.
_INTEGER = re.compile(r"\s*[+-]?[0-9]+\s*", re.ASCII)
_NUMBER = re.compile(r"\s*[+-]?(([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?|nan|inf|infinity)\s*", re.ASCII | re.IGNORECASE)
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


class RowError(InvalidArgumentError):
    """A row that cannot be sent."""


@dataclass(frozen=True)
class Record:
    """A row: the name to show, where it is, its cells by column, "" where there is nothing, and why it is no row if it is none.

    `folder`: that of its table, the working directory if None; pictures that it names are below.
    """

    name: str
    where: str
    cells: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""
    folder: Path | None = None

    def filled(self) -> dict[str, Any]:
        """The cells that hold something."""
        return {name: cell for name, cell in self.cells.items() if cell != ""}


@dataclass
class Table:
    """All rows, from the start at every call of `read`.

    Attributes:
      declared: TensorFlow's dtype numbers of the columns that the caller decides.
      order: how dates whose year is last are written, one of `times.ORDERS`; empty where the caller does not say.
      kinds: those of all columns.
      pictures: the columns that name pictures, whose files are sent; the model says which by refusing the names.
      lists: the columns whose cells are lists of numbers.
      convert: a cell, or an item of a list, as a dtype; raises ValueError or OverflowError.
    """

    read: Callable[[], Iterator[Record]]
    declared: Mapping[str, int] = field(default_factory=dict)
    order: str = ""
    kinds: dict[str, int] = field(default_factory=dict)
    pictures: set[str] = field(default_factory=set)
    lists: set[str] = field(default_factory=set)
    convert: Callable[[Any, np.dtype], Any] = field(default_factory=lambda: converted)

    def decide(self) -> None:
        """Gives every other column the kind that all of its cells have: the widest that one of them needs.

        Raises InputFileError, also where no record is a row.
        """
        widest: dict[str, int] = {}
        fault = ""
        for record in self.read():
            fault = fault or (record.fault and f"{record.where}: {record.fault}")
            for name, cell in record.cells.items():
                widest[name] = max(widest.get(name, 0), _width(cell))
        if fault and not widest:
            raise InputFileError(fault)
        for name in self.declared:
            if name not in widest:
                known = difflib.get_close_matches(name, widest, n=1)
                nearest = f" Did you mean '{known[0]}'?" if known else ""
                raise InputFileError(f"--column: expected one of the columns {', '.join(widest)}. Received: '{name}'.{nearest}")
        self.kinds = {name: _WIDTHS[width] for name, width in widest.items()} | dict(self.declared)

    def check(self) -> None:
        """Raises InputFileError for the first cell with something in it that is not of its column's kind."""
        for record in self.read():
            for name in record.filled():
                try:
                    self.value(record, name)
                except RowError as error:
                    raise InputFileError(f"{record.where}, {error}") from None

    def value(self, record: Record, name: str) -> Any:
        """One cell. Raises RowError."""
        if record.fault:
            raise RowError(record.fault)
        cell, kind = record.cells.get(name), self.kinds[name]
        try:
            if name in self.lists:
                return [self.convert(item, numpy_dtype(kind)) for item in _items(cell)]
            value = self.convert(cell, numpy_dtype(kind))
            return named_picture(value, record.folder or Path()) if name in self.pictures else value
        except (ValueError, OverflowError) as error:
            expected = str(error) if isinstance(error, NotThat) else dtype_name(kind)
            shown = "nothing" if cell in (None, "") else repr(cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell)
            raise RowError(f"column '{name}': expected {expected}. Received: {shown:.80}.") from None

    def size(self, record: Record) -> int:
        """The bytes of a row, about: of its texts and pictures, and of the files that it names."""
        named = [os.fsdecode(cell) for name, cell in record.cells.items() if isinstance(cell, (str, bytes)) and self._names(name, cell)]
        return bytes_in(record.cells) + sum(file_size(name, record.folder or Path()) for name in named)

    def _names(self, column: str, cell: str | bytes) -> bool:
        """Whether the cell names a picture, by its suffix before the model has said so of the column."""
        ends = cell[-5:].casefold() if isinstance(cell, str) else cell[-5:].decode("ascii", "replace").casefold()
        return column in self.pictures or ends.endswith(SUFFIXES)

    def said(self) -> str:
        """Which kind every column has, for people."""
        return ", ".join(f"{name}: {dtype_name(kind)}" for name, kind in self.kinds.items())


def _items(cell: Any) -> list[Any]:
    if cell is not None and cell != "" and not isinstance(cell, list):
        raise NotThat("a list of numbers")
    return cell or []


def _width(cell: Any) -> int:
    if isinstance(cell, list):
        return max(map(_width, cell), default=0)
    if isinstance(cell, str):
        if not cell or _LOOKS_INTEGER.fullmatch(cell):
            return 0 if not cell or (len(cell.strip()) <= 20 and _fits(int(cell), np.dtype(np.int64))) else 2
        return 1 if _LOOKS_NUMBER.fullmatch(cell) else 2
    return 2 if isinstance(cell, bytes) else int(isinstance(cell, float))


def converted(cell: Any, dtype: np.dtype) -> Any:
    """A cell, or each item of a list, as `dtype`. Raises ValueError or OverflowError."""
    return [converted(item, dtype) for item in cell] if isinstance(cell, list) else _READERS[dtype.kind](cell, dtype)


def _string(cell: Any, dtype: np.dtype) -> bytes:
    if isinstance(cell, str):
        return cell.encode()
    if isinstance(cell, bytes):
        return cell
    raise ValueError


def _integer(cell: Any, dtype: np.dtype) -> int:
    if isinstance(cell, int) or (isinstance(cell, str) and _INTEGER.fullmatch(cell)):
        value = int(cell)
        if _fits(value, dtype):
            return value
    raise ValueError


def _number(cell: Any, dtype: np.dtype) -> float:
    if isinstance(cell, (int, float)) or (isinstance(cell, str) and _NUMBER.fullmatch(cell)):
        value = float(cell)
        if not math.isfinite(value) or abs(value) <= np.finfo(dtype).max:  # else it would be sent as infinity
            return value
    raise ValueError


def _truth(cell: Any, dtype: np.dtype) -> bool:
    text = str(cell).strip().lower()
    if text in _TRUTHS:
        return _TRUTHS[text]
    raise ValueError


_READERS = {"O": _string, "i": _integer, "u": _integer, "f": _number, "b": _truth}


def can_be_read(kind: int) -> bool:
    """Whether a cell can become that dtype: a string, an integer, a number or a truth value."""
    return numpy_dtype(kind).kind in _READERS


def _fits(value: int, dtype: np.dtype) -> bool:
    return bool(np.iinfo(dtype).min <= value <= np.iinfo(dtype).max)
