"""A time as people write it -> seconds since 1970, UTC, as a model's `time` features take it. The year stands first."""

import datetime
import re

_DATE = r"(\d{4})(?:[-/.年](\d{1,2})[-/.月](\d{1,2})日?|(\d{2})(\d{2}))"
_CLOCK = r"(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?)?"
_TIME = re.compile(rf"{_DATE}{_CLOCK} ?(Z|UTC|GMT|[+-]\d{{2}}(?::?\d{{2}})?)?", re.ASCII)
_UNIX = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]*)?", re.ASCII)
_MILLISECONDS = 10**11  # as seconds this is the year 5138, as milliseconds 1973


def seconds(text: str) -> int:
    """Of ISO 8601 (`2024-01-31T10:00:00+09:00`), `2024/1/31`, `20240131`, or Unix seconds or milliseconds.

    A time without a zone is in UTC; fractions of a second are dropped. Raises ValueError.
    """
    text = text.strip()
    match = _TIME.fullmatch(text)
    if match is None and _UNIX.fullmatch(text):
        number = float(text)
        return int(number // 1000) if abs(number) >= _MILLISECONDS else int(number // 1)
    if match is None:
        raise ValueError("no time")
    year, month, day, month_alone, day_alone, *clock, zone = match.groups()
    hour, minute, second = (int(part or 0) for part in clock)
    time = datetime.datetime(
        int(year), int(month or month_alone), int(day or day_alone), hour, minute, second - (second == 60)
    )  # a leap second
    digits = (zone or "").lstrip("ZUTCGM+-").replace(":", "")
    ahead = int(digits[:2] or 0) * 3600 + int(digits[2:] or 0) * 60
    since = int(time.replace(tzinfo=datetime.timezone.utc).timestamp()) + (second == 60)  # Python 3.10 runs this
    return since + (ahead if zone and zone[0] == "-" else -ahead)
