"""Why a column is better no feature, whatever the label is."""

import re

import numpy as np

from pipeline.init.column import Column
from pipeline.init.kinds import USED, Kind

_ALMOST_ALL = 0.95  # of the values missing, or of neighbours that count up by one
_UNIQUE = 0.99  # of the values are different: an identifier, as AutoGluon and Ludwig tell it
_OFTEN_NEW, _MANY = 0.5, 20  # share of different values, and how many, from which on a category says little
_RARE = 0.2  # share of different numbers, fewer of which come back too often for numbers of rows
_LEAST = 10  # values from which anything follows
_ID_NAME = re.compile(r"(?i)id$|番号$|(^|[\W_])(no|nr|number|index|idx|key|unnamed: 0)\.?$")


def reason(column: Column, kind: Kind) -> str:
    """A clause for people, empty where nothing speaks against the column."""
    if not column.given:
        return "empty"
    if column.missing > _ALMOST_ALL * column.rows:
        return f"almost empty: {column.given:,} of {column.rows:,} rows have a value"
    if len(column.distinct) == 1 and not column.missing:
        return "always the same value"
    return _identifier(column) or _unclear(column, kind) or _unused(kind)


def _identifier(column: Column) -> str:
    if column.given < _LEAST:
        return ""
    if column.is_numeric:
        if _counts_up(column):
            return "row numbers"
        is_id = column.is_whole and column.different >= _UNIQUE and _ID_NAME.search(column.name)
        return "an identifier: by its name, and nearly all numbers are different" if is_id else ""
    return ""


def _counts_up(column: Column) -> bool:
    """Whether nearly every row's number is by one more than that of the row before."""
    if not column.is_whole or column.different < _RARE:  # hours of the day count up as well
        return False
    steps = np.diff(column.to_numbers(column.head))
    return len(steps) >= _LEAST - 1 and bool(np.mean(steps == 1) > _ALMOST_ALL)


def _unclear(column: Column, kind: Kind) -> str:
    """Of a category that is none."""
    if kind.name != "category" or column.given < _LEAST:
        return ""
    if column.is_nearly_numeric:
        other = column.not_numbers[0]
        example = other if len(other) <= 40 else f"{other[:39]}…"
        other = "add it to `data.csv.missing`" if column.type is None else "write null"
        return f"numbers, but '{example}' is none: mend it or {other}, and use `number`"
    if column.different >= _UNIQUE:
        return "an identifier: nearly all values are different"
    if column.different > _OFTEN_NEW and len(column.distinct) > _MANY:
        return f"too many different values: {len(column.distinct):,} in {column.given:,} rows"
    return ""


def _unused(kind: Kind) -> str:
    return "" if kind.name in USED else "free text, which is not used yet"
