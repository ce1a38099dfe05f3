"""The one rooted error family. A message is one line that says what was expected, what was received and what to do next."""

import difflib
import itertools
from collections.abc import Collection, Iterable
from typing import Any


class TapelineError(Exception):
    """A failure that the message explains in full; shown without a traceback unless one is asked for."""

    exit_status = 1


class ConfigError(TapelineError):
    """The command line or the configuration is wrong."""

    exit_status = 2


class DataError(TapelineError):
    """The input data cannot be read: a missing, truncated or inconsistent file."""


class AnomaliesError(TapelineError):
    """The data can be read, but is not what the schema says.

    Attributes:
      anomalies: each of them, and what is only warned of, in plain values, for the run's record.
      shifts: how far distributions have shifted, in plain values, for the record too.
    """

    exit_status = 4

    def __init__(self, message: str, anomalies: Iterable[dict[str, Any]] = (), shifts: Iterable[dict[str, Any]] = ()) -> None:
        """`message` says all of them, a line each below a first one where there are several."""
        super().__init__(message)
        self.anomalies, self.shifts = list(anomalies), list(shifts)


class TrainingError(TapelineError):
    """Training cannot go on, as where the loss is no longer a number, or what came of it is not worth exporting or not what was trained."""


_SHOWN, _LISTED = 80, 20  # characters of a name in a line, and names


def shortened(name: str) -> str:
    """A name for a line, its middle left out where it is very long."""
    return name if len(name) <= _SHOWN else f"{name[: _SHOWN // 2]}…{name[1 - _SHOWN // 2 :]}"


def listed(names: Collection[str]) -> str:
    """`'a', 'b' and 7 more`, names for a line."""
    shown = ", ".join(f"'{shortened(name)}'" for name in itertools.islice(names, _LISTED))
    return shown + (f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else "")


def printable(text: str) -> str:
    """`text` on one line: line ends and what else a terminal would obey, as in a file's name, as Python escapes it."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape", "backslashreplace").decode() for sign in text)


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """`" Did you mean 'mirrored'?"` for the choice nearest to `word`, or the empty string where none is near."""
    near = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.6)
    return f" Did you mean '{shortened(near[0])}'?" if near else ""
