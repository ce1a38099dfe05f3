"""How the values of a text file's columns are written: the decimal point, what parts thousands off, and what stands for missing.

a sample of each column -> the answers that its values speak for -> the one of most columns, with reasons and doubts
"""

import collections
import itertools
import re
from typing import NamedTuple

import pyarrow as pa

from components.example_gen.readers import written_numbers
from components.example_gen.readers.dialect import MISSING

_SPREADSHEET_ERRORS = ("#REF!", "#N/A", "#DIV/0!", "#VALUE!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!")
_TOO_NARROW = re.compile("#{3,}")  # what a spreadsheet shows, and saves as text, of a number that its column is too narrow for
_DASHES = tuple(
    "-\N{HYPHEN}\N{EN DASH}\N{EM DASH}\N{HORIZONTAL BAR}\N{MINUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{KATAKANA-HIRAGANA PROLONGED SOUND MARK}"
)
_WORDS = ("None", "none", "n/a", "na", "<NA>", "N.A.", "n.a.", r"\N", "nil", "NIL")
_SAID = ("unknown", "Unknown", "missing", "Missing", "不明", "未回答", "無回答", "未記入", "非公表")  # that a value is not known
_MASKS = ("*", "**", "***", "…", "...")  # as statistics have them for what may not be told
_MARKERS = (*_WORDS, *_SAID, *_MASKS, "?", "--", ".", *_DASHES, *_SPREADSHEET_ERRORS)  # in columns of numbers
_UNKNOWN = ("?", *_DASHES)  # also in columns of words
_POINT, _COMMA = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"), re.compile(r"[+-]?(\d+,?\d*|,\d+)([eE][+-]?\d+)?")
_LIKE_NUMBER = re.compile(r"[-+]?[0-9.,][0-9.,' ]*([eE][-+]?[0-9]+)?")
_NEARLY_ALL = 0.9  # of a column's values
_MANY = 10  # numbers with a separator, from which it is no chance that all have three digits behind it


def is_number(text: str) -> bool:
    """Whether it is one, with a decimal point or a decimal comma."""
    return bool(_POINT.fullmatch(text) or _COMMA.fullmatch(text))


class _Writing(NamedTuple):
    """How the numbers of a column are written: the columns that speak for each answer.

    Attributes:
      points: with a decimal point.
      commas: with a decimal comma.
      thousands: by the separator, those that can only be read so.
      either: by `,` or `.`, those in which it could be a decimal point or part thousands off.
    """

    points: list[str]
    commas: list[str]
    thousands: dict[str, list[str]]
    either: dict[str, list[str]]


def decimal_of(names: list[str], columns: list[list[str]], delimiter: str) -> tuple[str, str | None, list[str]]:
    """(the decimal point, what separates thousands, doubts)."""
    seen = _Writing([], [], {}, {})
    for name, column in zip(names, columns, strict=True):
        values = [value for cell in column if (value := cell.strip()) and value not in (*MISSING, *_MARKERS)]
        if values and any(map(str.isdigit, "".join(values[:100]))):
            _note_writing(name, written_numbers.core(pa.array(values, pa.string())).to_pylist(), delimiter, seen)
    points, commas = [*seen.points, *seen.thousands.get(",", [])], [*seen.commas, *seen.thousands.get(".", [])]
    decimal = "," if len(commas) > len(points) else "."
    other = "." if decimal == "," else ","
    by_count = sorted(seen.thousands, key=lambda separator: -len(seen.thousands[separator]))
    thousands = next((separator for separator in by_count if separator != decimal), None)
    is_told = bool(commas if decimal == "," else points)
    if not thousands and other in seen.either and is_told:
        thousands = other
    doubts = []
    if "," in seen.either and not is_told:
        doubts.append(
            f"The comma in column '{seen.either[','][0]}' could be a decimal comma or part thousands off, and it is not read as a number."
        )
    if commas and points:
        doubts.append(f"Column '{commas[0]}' has a decimal comma and column '{points[0]}' a decimal point.")
    return decimal, thousands, doubts


def _note_writing(name: str, values: list[str], delimiter: str, seen: _Writing) -> None:
    """Adds a column to the answer that its values speak for."""
    numbers = [value for value in values if _LIKE_NUMBER.fullmatch(value)]
    if len(numbers) < _NEARLY_ALL * len(values):
        return
    values = numbers  # a unit below the header, or the header once more, says nothing of how numbers are written
    for separator, decimal in ((",", "."), (".", ","), (" ", "."), (" ", ","), ("'", "."), ("'", ",")):
        shape = re.compile(written_numbers.grouped(separator, decimal))
        parted = [value for value in values if separator in value]
        others = [value for value in values if separator not in value]
        if any(re.match(rf"-?0{re.escape(separator)}", value) for value in parted):  # `0,125`: no thousands
            continue
        if not parted or not all(map(shape.fullmatch, parted)) or not all(map((_COMMA if decimal == "," else _POINT).fullmatch, others)):
            continue
        is_sure = separator in " '" or any(value.count(separator) > 1 or decimal in value for value in parted)
        # With a decimal comma all of these would have three digits behind it. Who writes one rarely puts commas between fields, too.
        is_likely = separator == "," and len(parted) >= _MANY
        is_usual = is_likely and (delimiter[0] == "," or bool(others and all(abs(float(value)) < 1000 for value in others)))
        if is_sure or is_usual:
            seen.thousands.setdefault(separator, []).append(name)
            if separator in " '" and any(decimal in value for value in values):
                (seen.points if decimal == "." else seen.commas).append(name)
        else:
            seen.either.setdefault(separator, []).append(name)
        return
    for mark, shape, told in ((".", _POINT, seen.points), (",", _COMMA, seen.commas)):
        fitting = [value for value in values if shape.fullmatch(value)]
        if len(fitting) >= _NEARLY_ALL * len(values) and any(mark in value for value in fitting):
            told.append(name)
            return


def missing_of(
    names: list[str], columns: list[list[str]], decimal: str, thousands: str | None
) -> tuple[tuple[str, ...], list[str], list[str]]:
    """(the markers of missing values, reasons, doubts)."""
    found: dict[str, str] = {}
    doubts = []
    for name, column in zip(names, columns, strict=True):
        values = collections.Counter(value for cell in column if (value := cell.strip()))
        seen = [marker for marker in _MARKERS if marker in values] + [value for value in values if _TOO_NARROW.fullmatch(value)]
        others = [value for value in values if value not in MISSING and value not in seen]
        for marker in seen:
            if (
                marker in _SPREADSHEET_ERRORS
                or _TOO_NARROW.fullmatch(marker)
                or (others and _count_numbers(others, decimal, thousands) >= _NEARLY_ALL * len(others))
            ):
                found.setdefault(marker, name)
            elif marker in _UNKNOWN and 2 <= len(others) <= 100 and all(sum(map(str.isalnum, value)) >= 2 for value in others):
                found.setdefault(marker, name)
                doubts.append(f"'{marker}' in column '{name}' is taken for a missing value.")
        if "NA" in values and len(others) >= 3 and all(re.fullmatch(r"[A-Z]{2}", value) for value in others):
            doubts.append(f"'NA' in column '{name}' is taken for a missing value, but could be a code like '{others[0]}'.")
    reasons = [f"'{marker}' for a missing value, as in column '{name}'" for marker, name in itertools.islice(found.items(), 3)]
    return (*MISSING, *found), reasons, doubts


def _count_numbers(values: list[str], decimal: str, thousands: str | None) -> int:
    """How many of them are numbers, as people write them."""
    plain = written_numbers.plain(pa.array(values, pa.string()), decimal, thousands)
    return len(plain) - plain.null_count
