"""What a version is, for whoever pushes, releases, serves or looks for one: a folder named by a number, as TensorFlow Serving reads it."""

from collections.abc import Iterable

LARGEST = 2**63 - 1  # versions are int64 on the wire


def parse(name: str) -> int | None:
    """The version that a folder's name, or what somebody has typed, is: `0000007` is 7. None for what is no version.

    Digits are those of ASCII, and numbers above `LARGEST` are none: TensorFlow Serving passes over such folders.
    """
    if not (name.isascii() and name.isdecimal()):
        return None
    digits = name.lstrip("0") or "0"
    if len(digits) > len(str(LARGEST)):  # int() itself refuses thousands of digits
        return None
    number = int(digits)
    return number if number <= LARGEST else None


def by_number(names: Iterable[str]) -> dict[int, str]:
    """Version -> name, for the names that are versions; of two names for one version the one that sorts last, as in TensorFlow Serving."""
    return {number: name for name in sorted(names) if (number := parse(name)) is not None}
