"""A schedule as a person writes it, five fields, in the form that KFP reads: six, seconds first.

KFP takes five fields too, but reads them as seconds, minutes, hours, day and month, which is another time than the one meant.
"""

import re

from trainer.errors import ConfigError

_FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")),
    ("day of week", 0, 6, ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")),
)
_PART = re.compile(r"(?:[*?]|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[1-9]\d*))?")
_EXAMPLE = 'like "0 3 * * *", every day at three o\'clock'


def with_seconds(cron: str) -> str:
    """KFP's six fields for `minute hour day-of-month month day-of-week`. Raises ConfigError."""
    fields = cron.split()
    if len(fields) != len(_FIELDS):
        raise ConfigError(
            f"Expected --cron with 5 fields: minute, hour, day of month, month, day of week, {_EXAMPLE}. Received: '{cron}' with "
            f"{len(fields)}. Seconds are added here."
        )
    for text, (name, lowest, highest, names) in zip(fields, _FIELDS, strict=True):
        for part in text.split(","):
            _check(cron, part, name, lowest, highest, names)
    return " ".join(["0", *fields])


def _check(cron: str, part: str, name: str, lowest: int, highest: int, names: tuple[str, ...]) -> None:
    matched = _PART.fullmatch(part)
    values = [_number(value, names, lowest) for value in (matched["first"], matched["last"]) if value] if matched else []
    if not matched or any(value is None or not lowest <= value <= highest for value in values) or values != sorted(values, key=int):
        words = f", or {names[0]} to {names[-1]}" if names else ""
        raise ConfigError(f"Expected the {name} of --cron to be of {lowest} to {highest}{words}. Received: '{part}' in '{cron}'.")


def _number(text: str, names: tuple[str, ...], lowest: int) -> int | None:
    if text.upper() in names:
        return names.index(text.upper()) + lowest
    return int(text) if text.isdecimal() else None
