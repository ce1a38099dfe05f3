"""Spans and versions: which of `data/day-1/`, `data/day-2/`, ... a pattern like `data/day-{SPAN}/` and the config mean.

pattern -> the files and folders that match it -> number and version of each -> those of the window, each in its newest version

The placeholders are those of TFX: `{SPAN}` or `{YYYY}`, `{MM}` and `{DD}`, and `{VERSION}`. The number of a date is its days since 1970.
"""

import datetime
import fnmatch
import glob
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from trainer.errors import ConfigError

Wanted = Literal["newest"] | int | datetime.date
_PLACEHOLDER = re.compile(r"\{(SPAN|VERSION|YYYY|MM|DD)(?::(\d+))?\}")
_MEANT = re.compile(r"\{(span|version|yyyy|mm|dd)(:\d+)?\}", re.IGNORECASE)
_DATE = {"YYYY": 4, "MM": 2, "DD": 2}
_FIRST_DAY = datetime.date(1970, 1, 1)
_MOST_NAMED = 6
_Paths = Mapping[int, Mapping[int, set[str]]]


class Span(NamedTuple):
    """One span of the data.

    Attributes:
      number: the span's; of a date the days since 1970.
      version: the newest one's, None where the pattern has no `{VERSION}`.
      path: where it is: the pattern with this span's and version's digits.
    """

    number: int
    version: int | None
    path: str


def has_spans(path: str | None) -> bool:
    """Whether the path is a pattern of spans."""
    return bool(_MEANT.search(path or ""))


def fault(pattern: str) -> str | None:
    """What is wrong with a pattern of spans, in a sentence; None where nothing is, or where `pattern` is a path without spans."""
    if not has_spans(pattern):
        return None
    names = [match[1] for match in _PLACEHOLDER.finditer(pattern)]
    received = f"Received: '{pattern}'."
    if len(names) < len(_MEANT.findall(pattern)):
        return f"Expected {{SPAN}}, {{VERSION}}, {{YYYY}}, {{MM}} and {{DD}} in capital letters. {received}"
    is_of_dates = bool(_DATE.keys() & set(names))
    if is_of_dates == ("SPAN" in names) or (is_of_dates and not _DATE.keys() <= set(names)) or len(names) > len(set(names)):
        return f"Expected either {{SPAN}} or {{YYYY}}, {{MM}} and {{DD}}, each once, and at most one {{VERSION}}. {received}"
    if "**" in "/".join(_split(pattern)[0]):
        return f"Expected no ** before {{SPAN}}. {received}"
    return None


def resolve(pattern: str, wanted: Wanted = "newest", window: int = 1) -> list[Span]:
    """The spans to read, the oldest first.

    Args:
      pattern: a path with placeholders, and wildcards too.
      wanted: the last one: `newest`, its number or its date.
      window: how many, with neighbouring numbers.

    Raises:
      ConfigError: the pattern is none, a span that is wanted is not there, or is there twice.
    """
    if problem := fault(pattern):
        raise ConfigError(f"data.path: {problem}")
    found = _found(pattern)
    if not found:
        raise ConfigError(
            f"Expected files or folders that match '{pattern}', digits in the place of each {{}}. Received: {_beside(pattern)}."
        )
    last = max(found) if wanted == "newest" else _number(wanted, pattern)
    numbers = range(last - window + 1, last + 1)
    if missing := [number for number in numbers if number not in found]:
        what = _named(numbers[:1], pattern) + (f" to {_named(numbers[-1:], pattern)}" if window > 1 else "")
        raise ConfigError(
            f"Expected {'every span from ' if window > 1 else 'the span '}{what} in '{pattern}' "
            f"(`data.span`{', `data.window`' if window > 1 else ''}). "
            f"Received: {_named(sorted(found), pattern)}{f', without {_named(missing, pattern)}' if window > 1 else ''}."
        )
    return [_newest(number, found[number]) for number in numbers]


def note(spans: Sequence[Span], pattern: str) -> str:
    """A line for a person that says which spans were read."""
    shown = [_named([span.number], pattern) + ("" if span.version is None else f" (version {span.version})") for span in spans]
    which = f"{shown[0]} to {shown[-1]}" if len(shown) > _MOST_NAMED else ", ".join(shown)
    return f"Read the span{'s' if len(shown) > 1 else ''} {which} of '{pattern}'."


def _newest(number: int, versions: Mapping[int, set[str]]) -> Span:
    version = max(versions)
    paths = sorted(versions[version])
    if len(paths) > 1:
        raise ConfigError(
            f"Expected one place for the span {number}{f' in version {version}' if version >= 0 else ''}. "
            f"Received: {' and '.join(repr(path) for path in paths)}. Remove or rename all but one."
        )
    return Span(number, version if version >= 0 else None, paths[0])


def _found(pattern: str) -> _Paths:
    """{span: {version, -1 where the pattern has none: its paths}} of all that is there."""
    parts, _ = _split(pattern)
    expressions = [re.compile(_expression(part)) for part in parts]
    found: dict[int, dict[int, set[str]]] = {}
    for path in glob.iglob(_PLACEHOLDER.sub("*", pattern), recursive=True):  # noqa: PTH207 - patterns are absolute
        matches = [expression.fullmatch(part) for expression, part in zip(expressions, path.split("/"), strict=False)]
        texts: dict[str, Any] = {}
        for match in matches:
            texts |= match.groupdict() if match else {}
        number = _number_of(texts) if len(matches) == len(expressions) and all(matches) else None
        if number is not None:
            place = _PLACEHOLDER.sub(lambda placeholder, texts=texts: texts[placeholder[1]], pattern)
            found.setdefault(number, {}).setdefault(int(texts.get("VERSION", -1)), set()).add(place)
    return found


def _split(pattern: str) -> tuple[list[str], list[str]]:
    """The parts of the path down to the last one with a placeholder, and those below it."""
    parts = pattern.split("/")
    end = 1 + max(number for number, part in enumerate(parts) if _PLACEHOLDER.search(part))
    return parts[:end], parts[end:]


def _expression(part: str) -> str:
    """A regular expression of one part of the path, with a group for each placeholder."""
    pieces, start = [], 0
    for match in _PLACEHOLDER.finditer(part):
        width = match[2] or _DATE.get(match[1])
        pieces += [_wildcards(part[start : match.start()]), rf"(?P<{match[1]}>\d{f'{{{width}}}' if width else '+'})"]
        start = match.end()
    return "".join([*pieces, _wildcards(part[start:])])


def _wildcards(text: str) -> str:
    return f"(?:{fnmatch.translate(text).removeprefix('(?s:').rpartition(')')[0]})"


def _number_of(texts: Mapping[str, str]) -> int | None:
    """The span's number, None where there is no such date."""
    if "SPAN" in texts:
        return int(texts["SPAN"])
    try:
        return (datetime.date(int(texts["YYYY"]), int(texts["MM"]), int(texts["DD"])) - _FIRST_DAY).days
    except ValueError:
        return None


def _number(wanted: int | datetime.date | str, pattern: str) -> int:
    if isinstance(wanted, datetime.date):
        if "{SPAN" in pattern:
            raise ConfigError(f"data.span: Expected a number with {{SPAN}} in `data.path`. Received: {wanted}.")
        return (wanted - _FIRST_DAY).days
    return int(wanted)


def _named(numbers: Iterable[int], pattern: str) -> str:
    """The numbers, or dates where the pattern is of dates; of many the last ones."""
    texts = [str(number if "{SPAN" in pattern else _FIRST_DAY + datetime.timedelta(days=number)) for number in numbers]
    return ", ".join(texts) if len(texts) <= _MOST_NAMED else f"{len(texts):,}, the last of them {', '.join(texts[-_MOST_NAMED:])}"


def _beside(pattern: str) -> str:
    """What there is instead, where the first placeholder stands."""
    parts = pattern.split("/")
    first = next(number for number, part in enumerate(parts) if _PLACEHOLDER.search(part))
    folder = Path("/".join(parts[:first]) or ("/" if pattern.startswith("/") else "."))
    if not folder.is_dir():
        return f"no folder '{folder}'"
    names = sorted(path.name for path in folder.iterdir())
    return f"'{folder}' with " + (
        ", ".join(names[:_MOST_NAMED]) + (f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else "")
        if names
        else "nothing in it"
    )
