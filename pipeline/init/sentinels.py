"""Numbers that stand for a missing value, `-999` or `9999`: nines only, often there, and far from all others of their column."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.init.column import Column

_NINES = r"^ *-?9{2,}([.,]0*)? *$"
_LEAST_TIMES, _LEAST_OTHERS = 2, 10  # times that it is there, different other numbers
_TIMES_AS_FAR = 10  # from zero as any other number
_OFTEN = 0.05  # of the rows, from which on one that is not so far is told of


class Sentinels(NamedTuple):
    """The texts to take for a missing value, with a sentence on each, and sentences on those that may be one."""

    markers: dict[str, str]
    doubts: tuple[str, ...]


def find(columns: list[Column]) -> Sentinels:
    """Those of all columns; one that is a usual number in another column, where it would be missing too, is only told of."""
    markers: dict[str, str] = {}
    doubts = []
    for column in columns:
        for text, count, is_far in _extremes(column):
            where = f"'{text}' in column '{column.name}' ({count:,} rows)"
            if is_far and not any(_is_usual(text, other) for other in columns if other is not column):
                markers.setdefault(text, f"{where} is taken for a missing value: all other numbers are far from it.")
            elif is_far or count >= _OFTEN * column.given:
                doubts.append(f"{where} may stand for a missing value: add it to `data.csv.missing` if it does.")
    return Sentinels(markers, tuple(doubts))


def _extremes(column: Column) -> list[tuple[str, int, bool]]:
    """(text, rows, whether it is far from the others) of the numbers of nines above or below all others of a column."""
    if not column.is_numeric:
        return []
    nines = np.flatnonzero(pc.match_substring_regex(column.distinct, _NINES).to_numpy(zero_copy_only=False)).tolist()
    found = []
    for place in nines:
        value, count = column.numbers[place], int(column.counts[place])
        others = np.delete(column.numbers, nines)
        is_extreme = len(others) >= _LEAST_OTHERS and (value > others.max() or value < others.min())
        if is_extreme and count >= _LEAST_TIMES:
            is_far = abs(value) >= _TIMES_AS_FAR * np.abs(others).max() or (value < -99 and others.min() >= 0)
            found.append((column.distinct[place].as_py(), count, bool(is_far)))
    return found


def _is_usual(text: str, column: Column) -> bool:
    is_there = pc.is_in(pa.scalar(text), column.distinct).as_py()
    return is_there and not any(text == other and is_far for other, _, is_far in _extremes(column))
