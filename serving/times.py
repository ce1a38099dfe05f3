"""A time as people write it -> seconds since 1970, UTC, as a model's `time` features take it, and as the ingestion reads it."""

import datetime
import re
from collections.abc import Sequence

_DATE = r"(\d{4})(?:[-/.年](\d{1,2})[-/.月](\d{1,2})日?|(\d{2})(\d{2}))"
_CLOCK = r"(?:[T ,]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?(?: ?([AaPp])\.?[Mm]\.?)?)?"
_ZONE = r" ?(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?"
_TIME = re.compile(f"{_DATE}{_CLOCK}{_ZONE}", re.ASCII)
_YEAR_LAST = re.compile(rf"(\d{{1,2}})[-/.](\d{{1,2}})[-/.](\d{{4}}|\d{{2}}){_CLOCK}{_ZONE}", re.ASCII)
ORDERS = ("day_first", "month_first")
_UNIX = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]*)?", re.ASCII)
_MILLISECONDS = 10**11  # as seconds this is the year 5138, as milliseconds 1973
_SPREADSHEET = 100_000  # numbers below are a spreadsheet's days: as seconds this is the second day of 1970, as days the year 2173
_SPREADSHEET_1970 = 25_569  # such days, of which 1900-01-01 is the first, and 1900 a leap year by mistake


def seconds(text: str, order: str = "") -> int:
    """Of ISO 8601 (`2024-01-31T10:00:00+09:00`), `2024/1/31`, `20240131`, Unix seconds or milliseconds, or a spreadsheet's days (`45292`).

    With `order`, one of ORDERS, also of `31/1/2024`. A time without a zone is in UTC; fractions of a second are dropped. Raises ValueError.
    """
    text = text.strip()
    if order and (last := _YEAR_LAST.fullmatch(text)):
        first, second, year, *rest = last.groups()
        day, month = (first, second) if order == "day_first" else (second, first)
        century = (1900 if int(year) >= 69 else 2000) if len(year) == 2 else 0  # as POSIX reads two digits
        return _seconds(century + int(year), int(month), int(day), rest)
    match = _TIME.fullmatch(text)
    if match is None and _UNIX.fullmatch(text):
        number = float(text)
        if 0 < number < _SPREADSHEET:
            return round((number - _SPREADSHEET_1970) * 86_400)
        return int(number // 1000) if abs(number) >= _MILLISECONDS else int(number // 1)
    if match is None:
        raise ValueError("no time")
    year, month, day, month_alone, day_alone, *rest = match.groups()
    return _seconds(int(year), int(month or month_alone), int(day or day_alone), rest)


def is_year_last(text: str) -> bool:
    """Whether `order` decides what it is."""
    return _YEAR_LAST.fullmatch(text.strip()) is not None


def _seconds(year: int, month: int, day: int, rest: Sequence[str | None]) -> int:
    """`rest`: what `_CLOCK` and `_ZONE` have found."""
    *clock, half, zone = rest
    hour, minute, second = (int(part or 0) for part in clock)
    if half:
        if not 1 <= hour <= 12:
            raise ValueError("no hour of half a day")
        hour = hour % 12 + (12 if half in "pP" else 0)
    time = datetime.datetime(year, month, day, hour, minute, second - (second == 60))  # a leap second
    digits = (zone or "").lstrip("ZUTCGM+-").replace(":", "")
    ahead = int(digits[:2] or 0) * 3600 + int(digits[2:] or 0) * 60
    since = int(time.replace(tzinfo=datetime.timezone.utc).timestamp()) + (second == 60)  # Python 3.10 runs this
    return since + (ahead if zone and zone[0] == "-" else -ahead)
