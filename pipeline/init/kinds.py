"""Which kind of feature a column is, and why.

a type that says it; numbers: codes? -> times? -> a number; else dates? -> prose? -> a category
"""

import re
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen.readers import cells
from components.example_gen.readers.typed import is_number, is_time
from pipeline.init.column import Column
from trainer.features import KINDS

# Kinds that a config can name. `text` is told from `category` all the same, and left out as long as there is no such kind.
USED = frozenset(kind.model_fields["kind"].default for kind in KINDS)

_LEADING_ZERO = r"^-?0[0-9]"
_CODE_NAME = re.compile(r"(?i)(^|[\W_])(code|cd|zip|zipcode|postcode|postal_?code)$|コード$|区分$|郵便番号$")
_TIME_NAME = re.compile(r"(?i)time|date|timestamp|(^|[\W_])(at|ts)$|日時|時刻|日付")
_DAY = r"^(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$"
_TIME_OF_DAY = "^ *[0-9]{1,2}:"
_NUMBER = r"^[-+]?[0-9]*[.,]?[0-9]*$"
_SECONDS = (10**8, 4 * 10**9)  # 1973 to 2096
_SPREADSHEET_DAYS = (30_000, 60_000)
_CLOCK = r"[.,][0-9]{5,} *$"
_SECOND = 0.1  # of one, by which a time of day may differ from a whole one: spreadsheets write six decimals
_FEW = 20  # whole numbers that could be codes, and values that are looked at first
_TRIED = 2000  # distinct values
_WORDS = 3  # on average, as AutoGluon tells prose
_MOST_NAMED_VALUES = 100  # as many as TFDV takes into a domain: a column of fewer values that come back is no prose
_OFTEN_NEW, _SOMETIMES_NEW = 0.5, 0.01  # shares of different values
_CJK = re.compile(r"[぀-ヿ㐀-鿿가-힣]")


class Kind(NamedTuple):
    """What a column is.

    Attributes:
      name: `number`, `category`, `time` or `text`.
      why: a clause for people.
      order: of a time, how its dates are written.
      doubt: where another answer is as good, a sentence; else empty.
    """

    name: str
    why: str
    order: str = "year_first"
    doubt: str = ""


def kind_of(column: Column) -> Kind:
    """The kind of a column that has values."""
    if column.type is not None and is_time(column.type):
        return Kind("time", f"of the type {column.type}")
    if column.is_numeric:
        return _of_numbers(column)
    return _dates(column) or _prose(column) or _category(column)


def _of_numbers(column: Column) -> Kind:
    if column.unit:
        return Kind("number", f"numbers with unit {column.unit}")
    count = len(column.distinct)
    is_called_time = bool(_TIME_NAME.search(column.name))
    if (is_called_time or _have_clock(column)) and _are_spreadsheet_days(column):
        return Kind("time", f"{'by its name, ' if is_called_time else ''}days as a spreadsheet counts them")
    if not column.is_whole:
        return Kind("number", "numbers")
    if pc.any(pc.match_substring_regex(column.distinct, _LEADING_ZERO)).as_py():
        return Kind("category", "leading zeros: codes")
    if _CODE_NAME.search(column.name) and column.different < _OFTEN_NEW:
        return Kind("category", "its name says codes")
    if found := _written_time(column):
        if column.type is None or not is_number(column.type):
            return Kind("time", found)
        return Kind("number", f"whole numbers; {found} only where they are stored as text or as a date")
    if 2 < count <= _FEW:
        return Kind("number", f"{count} whole numbers; `category` if they are codes")
    return Kind("number", "whole numbers")


def _written_time(column: Column) -> str:
    """How whole numbers are times, a clause for people; empty where they are none."""
    if pc.all(pc.match_substring_regex(column.distinct, _DAY)).as_py() and not cells.times(column.distinct[:_TRIED]).wrong:
        return "days as YYYYMMDD"
    low, high = column.numbers.min(), column.numbers.max()
    for unit, factor in (("seconds", 1), ("milliseconds", 1000)):
        if _TIME_NAME.search(column.name) and _SECONDS[0] * factor <= low and high <= _SECONDS[1] * factor:
            return f"by its name, Unix time in {unit}"
    return ""


def _are_spreadsheet_days(column: Column) -> bool:
    """Whether these are days of the years 1982 to 2064, with a time of day that is a whole second or none."""
    is_typed = column.type is not None and is_number(column.type)
    low, high = _SPREADSHEET_DAYS
    if is_typed or column.numbers.min() < low or column.numbers.max() > high or len(column.distinct) <= 2:
        return False
    seconds = column.numbers * 86_400
    is_whole = bool((np.abs(seconds - np.round(seconds)) < _SECOND).all())
    return is_whole and not cells.times(column.distinct[:_TRIED]).wrong


def _have_clock(column: Column) -> bool:
    """Whether so many have the decimals of a time of day that only chance in a fifth of each could make all of them whole seconds."""
    return pc.sum(pc.match_substring_regex(column.distinct, _CLOCK)).as_py() >= _FEW


def _dates(column: Column) -> Kind | None:
    tried = column.distinct[:_TRIED]
    if not pc.all(pc.match_substring_regex(tried[:10], "[0-9元][-/.,年時 :]")).as_py():
        return None
    if pc.any(pc.match_substring_regex(tried[:10], _NUMBER)).as_py():  # Unix time is told by its name, in `_written_time`
        return None
    if _are_dates(tried, "year_first"):
        is_clock = pc.all(pc.match_substring_regex(tried, _TIME_OF_DAY)).as_py()
        is_year_first = pc.all(pc.match_substring_regex(tried, "^[0-9]{4}")).as_py()
        return Kind("time", "times of day" if is_clock else "dates, the year first" if is_year_first else "dates")
    orders: tuple[cells.TimeOrder, ...] = ("month_first", "day_first")
    fitting = [order for order in orders if _are_dates(tried, order)]
    if not fitting:
        return None
    other = {"month_first": "day", "day_first": "month"}[fitting[0]]
    doubt = f"In the dates of '{column.name}' the {other} could come first as well; say so by `order: {other}_first`."
    return Kind("time", f"dates, the {fitting[0].partition('_')[0]} first", fitting[0], doubt if len(fitting) > 1 else "")


def _are_dates(values: pa.Array, order: cells.TimeOrder) -> bool:
    """Some are looked at first, for what is no date takes long."""
    return not cells.times(values[:_FEW], order).wrong and not cells.times(values, order).wrong


def _prose(column: Column) -> Kind | None:
    words = _words(column.distinct, column.counts)
    is_new = column.different > (_OFTEN_NEW if len(column.distinct) <= _MOST_NAMED_VALUES else _SOMETIMES_NEW)
    if words < _WORDS or not is_new:
        return None
    return Kind("text", f"{words:.0f} words on average, {column.different:.0%} different")


def _words(values: pa.Array, counts: np.ndarray) -> float:
    """Words of a value on average; two characters of a script without spaces count as one."""
    texts = values[:_TRIED].to_pylist()
    each = [max(len(text.split()), len(_CJK.findall(text)) / 2) for text in texts]
    return float(np.average(each, weights=counts[:_TRIED]))


def _category(column: Column) -> Kind:
    count = len(column.distinct)
    return Kind("category", f"{count:,} value{'' if count == 1 else 's'}")
