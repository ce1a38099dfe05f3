"""The text of cells as numbers and as times; what is neither is told cell by cell.

Whole columns are cast at once; only where that fails are the cells that do not fit looked at one by one.
"""

import math
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen.readers import written_dates, written_numbers

TimeOrder = Literal["year_first", "day_first", "month_first"]

_NUMBER = r"^[ \t]*-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[ \t]*$"
_TIME_OF_DAY = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?"
_CLOCK = rf"(?:[T ,]+{_TIME_OF_DAY})?"
_ZONE = r"(?: ?(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2}))?"
_YEAR_FIRST = r"(?P<year>\d{4})[-/.年](?P<month>\d{1,2})[-/.月](?P<day>\d{1,2})日?"
_ORDERS = {"day_first": r"(?P<day>\d{1,2})[-/.](?P<month>\d{1,2})", "month_first": r"(?P<month>\d{1,2})[-/.](?P<day>\d{1,2})"}
_MILLISECONDS = 10**11  # as seconds this is the year 5138, as milliseconds 1973
_SPREADSHEET = 100_000  # numbers below are a spreadsheet's days: as seconds this is the second day of 1970, as days the year 2173
_YEARS = 1500, 2500  # such numbers are years: the days that a spreadsheet would mean are of 1904 to 1906
_SPREADSHEET_1970 = 25_569  # such days, of which 1900-01-01 is the first, and 1900 a leap year by mistake
_SHOWN = 40  # characters of a value in a message


class Column(NamedTuple):
    """A converted column.

    Attributes:
      values: of the wanted type, null where missing or wrong.
      wrong: {row: why its cell is none of that type}.
    """

    values: pa.Array
    wrong: dict[int, str]


def numbers(cells: pa.StringArray, decimal: str = ".", missing: tuple[str, ...] = (), thousands: str | None = None) -> Column:
    """float64 of `cells`; a cell that is not a finite number is wrong. `missing` matters where spaces surround it.

    Currencies, per cent and brackets for minus are read as `written_numbers` says, and so are separators of thousands where `thousands`
    names them.
    """
    given = cells
    if decimal == ",":
        # A point is no decimal point here: with `_` it is no number.
        cells = pc.replace_substring(pc.replace_substring(cells, ".", "_"), ",", ".")
    wrong: dict[int, str] = {}
    try:
        values = cells.cast(pa.float64())
    except pa.ArrowInvalid:
        fits = pc.fill_null(pc.match_substring_regex(cells, _NUMBER), True)
        others = np.flatnonzero(~fits.to_numpy(zero_copy_only=False))
        values = pc.utf8_trim(pc.if_else(fits, cells, None), " \t").cast(pa.float64()).to_numpy(zero_copy_only=False).copy()
        is_null = pc.is_null(cells).to_numpy(zero_copy_only=False).copy()
        written = written_numbers.plain(given.take(pa.array(others)), decimal, thousands).cast(pa.float64())
        is_number = pc.is_valid(written).to_numpy(zero_copy_only=False)
        values[others[is_number]] = written.drop_null().to_numpy(zero_copy_only=False)
        for row in others[~is_number].tolist():
            text = cells[row].as_py()
            value = None if text.strip() in missing else _number(text)
            if value is None and text.strip() not in missing:
                wrong[row] = f"'{_short(given[row].as_py())}' is no number"
            is_null[row] = value is None
            values[row] = math.nan if value is None else value
        values = pa.array(values, mask=is_null)
    numeric = values.to_numpy(zero_copy_only=False)
    if not np.isfinite(numeric).all():
        for row in np.flatnonzero(np.isinf(numeric)).tolist():
            wrong[row] = f"'{_short(given[row].as_py())}' is no finite number"
        values = pa.array(numeric, mask=~np.isfinite(numeric))
    return Column(values, wrong)


def finite(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray | None:
    """Numbers with null for NaN; None where one is infinite, which has to be told of as it is written."""
    if pc.all(pc.is_finite(values)).as_py() is not False:
        return values
    return None if pc.any(pc.is_inf(values)).as_py() else pc.if_else(pc.is_nan(values), None, values)


def _number(text: str) -> float | None:
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def times(cells: pa.StringArray, order: TimeOrder = "year_first", missing: tuple[str, ...] = ()) -> Column:
    """int64 of `cells`: seconds since 1970 in UTC, which a time without a zone is taken to be in; fractions of a second are dropped.

    Read are dates, with a time of day or not, whose year stands first (ISO 8601, `2019/1/2`, `2019年1月2日`, `20190102`), or, by `order`,
    day or month first (`31/12/2019`); as `written_dates` says; times of day alone (`14:37`), as those of the first day of 1970; Unix
    time in seconds or milliseconds; years alone (`2019`), as their first second; and the days that a spreadsheet counts, to the second
    (`45292.75`), where they are below 100,000.
    """
    try:
        values = cells.cast(pa.timestamp("us")).cast(pa.int64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return _times(cells, order, missing)
    is_null = pc.is_null(cells).to_numpy(zero_copy_only=False)
    return Column(pa.array(np.where(is_null, 0, values).astype(np.int64) // 1_000_000, mask=is_null), {})


def _times(cells: pa.StringArray, order: TimeOrder, missing: tuple[str, ...]) -> Column:
    cells = pc.utf8_trim_whitespace(cells)
    if missing:
        cells = pc.if_else(pc.is_in(cells, pa.array(missing, pa.string())), None, cells)
    seconds, known = _dates(cells, _YEAR_FIRST + _CLOCK)
    patterns = [rf"(?P<year>\d{{4}})(?P<month>\d{{2}})(?P<day>\d{{2}}){_CLOCK}", _TIME_OF_DAY]
    if order != "year_first":
        patterns.insert(0, _with_year(order) + _CLOCK)
    for pattern in patterns:
        if not known.all():
            more, fits = _dates(cells, pattern)
            seconds, known = np.where(known, seconds, more), known | fits
    is_null = pc.is_null(cells).to_numpy(zero_copy_only=False)
    others = np.flatnonzero(~known & ~is_null)
    written = written_dates.plain(cells.take(pa.array(others)))
    for pattern in (_YEAR_FIRST + _CLOCK, _TIME_OF_DAY) if len(others) else ():
        more, fits = _dates(written, pattern)
        seconds[others[fits]], known[others[fits]] = more[fits], True
    wrong: dict[int, str] = {}
    for row in np.flatnonzero(~known & ~is_null).tolist():
        text = cells[row].as_py()
        value = _number(text)
        if value is None or not math.isfinite(value):
            is_other = order == "year_first" and any(_dates(cells[row : row + 1], _with_year(other) + _CLOCK)[1][0] for other in _ORDERS)
            hint = "; say whether day or month comes first" if is_other else ""
            wrong[row], is_null[row] = f"'{_short(text)}' is no time{hint}", True
        else:
            seconds[row] = _of_number(value)
    return Column(pa.array(seconds, mask=is_null), wrong)


def _of_number(value: float) -> int:
    if value.is_integer() and _YEARS[0] <= value <= _YEARS[1]:
        return int(np.datetime64(f"{int(value)}-01-01", "s").astype(np.int64))
    if 0 < value < _SPREADSHEET:
        return round((value - _SPREADSHEET_1970) * 86_400)
    return int(value // 1000) if abs(value) >= _MILLISECONDS else int(value // 1)


def _with_year(order: str) -> str:
    return rf"{_ORDERS[order]}[-/.](?P<year>\d{{4}}|\d{{2}})"


def _dates(cells: pa.StringArray, pattern: str) -> tuple[np.ndarray, np.ndarray]:
    """(int64 seconds since 1970, where a cell is a date of this pattern that the calendar has)."""
    parts = pc.extract_regex(cells, f"^{pattern}{_ZONE}$")
    found = pc.is_valid(parts).to_numpy(zero_copy_only=False)

    def whole(name: str, otherwise: int = 0) -> np.ndarray:
        if parts.type.get_field_index(name) < 0:
            return np.full(len(cells), otherwise, np.int64)
        texts = pc.struct_field(parts, [parts.type.get_field_index(name)])
        texts = pc.if_else(pc.equal(pc.fill_null(texts, ""), ""), "0", texts)
        return texts.cast(pa.int64()).to_numpy(zero_copy_only=False).astype(np.int64)

    def text(name: str) -> np.ndarray:
        return pc.fill_null(pc.struct_field(parts, [parts.type.get_field_index(name)]), "").to_numpy(zero_copy_only=False).astype(str)

    year, month, day, hour = whole("year", 1970), whole("month", 1), whole("day", 1), whole("hour")
    year = np.where(found & (year < 100), np.where(year < 69, year + 2000, year + 1900), year)  # as POSIX reads two digits
    half, zone = np.char.lower(text("half")), text("zone")
    is_valid = found & (month >= 1) & (month <= 12) & (day >= 1) & (year >= 1000)
    is_valid &= np.where(half == "", hour <= 23, (hour >= 1) & (hour <= 12)) & (whole("minute") <= 59) & (whole("second") <= 60)
    hour = np.where(half == "", hour, hour % 12 + np.where(half == "p", 12, 0))
    months = (np.where(is_valid, year, 1970) - 1970) * 12 + np.where(is_valid, month, 1) - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]")
    is_valid &= day <= (((months + 1).astype("datetime64[M]").astype("datetime64[D]") - first).astype(np.int64))
    seconds = (first.astype(np.int64) + day - 1) * 86_400 + hour * 3600 + whole("minute") * 60 + whole("second")
    for name in set(np.unique(zone)) - {"", "Z", "UTC", "GMT"}:
        digits = name[1:].replace(":", "")
        ahead = int(digits[:2]) * 3600 + int(digits[2:] or 0) * 60
        seconds = np.where(zone == name, seconds - (ahead if name[0] == "+" else -ahead), seconds)
    return np.where(is_valid, seconds, 0), is_valid


def _short(text: str) -> str:
    """`text` in one line of at most _SHOWN characters."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
