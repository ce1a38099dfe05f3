"""A few cells that are no numbers in a column of numbers, or no dates in one of dates: they stand for missing values.

A total below a table, `unknown`, `n.a.?`: rare enough not to speak for another kind of column.
"""

import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen.readers import cells
from pipeline.init.column import Column

_LEAST = 20  # values from which a few are few
_RARE = 0.02  # of the rows that have a value
_MOST = 5  # different ones
_LONGEST = 40  # characters
_TRIED = 2000  # distinct values
_ORDERS: tuple[cells.TimeOrder, ...] = ("year_first", "month_first", "day_first")


def markers(columns: list[Column]) -> dict[str, str]:
    """The texts to take for a missing value, and a sentence on each for people."""
    found: dict[str, str] = {}
    for column in columns:
        for text, rows in _odd(column).items():
            counted = f"{rows:,} row{'' if rows == 1 else 's'}"
            found.setdefault(text, f"'{text}' in column '{column.name}' ({counted}) is taken for a missing value.")
    return found


def _odd(column: Column) -> dict[str, int]:
    """The odd texts of a column, and in how many rows each is."""
    if column.given < _LEAST:
        return {}
    texts = column.not_numbers if column.is_nearly_numeric else _not_times(column)
    rows = dict(zip(texts, column.counts_of(texts), strict=True))
    is_few = 0 < len(texts) <= _MOST and sum(rows.values()) <= max(1, _RARE * column.given)
    return rows if is_few and all(len(text) <= _LONGEST for text in texts) else {}


def _not_times(column: Column) -> list[str]:
    """The distinct values that are no times, of a column whose values nearly all are; empty for another one."""
    if column.is_numeric:
        return []
    tried = column.distinct[:_TRIED]
    like_times = pc.sum(pc.match_substring_regex(tried[:10], "[0-9][-/.年:]")).as_py() or 0
    if like_times < min(len(tried), 10) - 1:
        return []
    wrong = min((cells.times(tried, order).wrong for order in _ORDERS), key=len)
    if not 0 < len(wrong) <= _MOST:
        return []
    rest = column.distinct[_TRIED:]
    more = min((cells.times(rest, order).wrong for order in _ORDERS), key=len) if len(rest) else {}
    return [tried[row].as_py() for row in wrong] + [rest[row].as_py() for row in more]


def without(values: pa.Array, texts: dict[str, str]) -> pa.Array:
    """`values`, string (rows,), null where one of `texts` stands."""
    return pc.if_else(pc.is_in(values, pa.array(list(texts), pa.string())), pa.scalar(None, pa.string()), values)
