"""Values of a column that are one value in several spellings: `Yes`, `YES` and `yes `, `<=50K` and `<=50K.`, `Ａ` and `A`."""

import collections
import unicodedata
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen.readers.spelling import SPACES
from pipeline.init.column import Column

_MOST_VALUES, _OFTEN_NEW = 1000, 0.5  # distinct ones and their share, above which they are no names
_MOST = 50  # spellings of a column that are replaced
_SHOWN = 3


class Spellings(NamedTuple):
    """How to make one spelling of several.

    Attributes:
      trim: whether values have spaces around them that make others of them, or hide that they are missing.
      replace: {a spelling without these spaces: the most frequent one of the same value}.
      doubts: what was found, a sentence for each column.
    """

    trim: bool
    replace: dict[str, str]
    doubts: tuple[str, ...]


def find(columns: list[Column], missing: tuple[str, ...]) -> Spellings:
    """Of the columns whose values come back, and of numbers. One letter may mean another in lower case, and is only told of.

    Args:
      columns: as they stand in the file.
      missing: what stands for a missing value.
    """
    spaced = [column.name for column in columns if _is_spaced(column, missing)]
    replace: dict[str, str] = {}
    doubts = [f"Values of {_names(spaced)} have spaces around them, seen or not: these are taken away."] if spaced else []
    for column in columns:
        if column.is_numeric or not _comes_back(column):
            continue
        by_value: dict[str, list[str]] = collections.defaultdict(list)
        for text in column.distinct.to_pylist():  # the most frequent first
            by_value[_value(text)].append(text)
        by_value = {value: list(dict.fromkeys(text.strip(SPACES) for text in texts)) for value, texts in by_value.items()}
        several = {texts[0]: texts[1:] for texts in by_value.values() if len(texts) > 1}
        count = sum(map(len, several.values()))
        if not several:
            continue
        shown = "; ".join(f"'{first}' is also {' and '.join(map(repr, others))}" for first, others in list(several.items())[:_SHOWN])
        if count > _MOST or any(len(first) < 2 for first in several):
            doubts.append(f"Values of '{column.name}' differ by capitals, width or a last dot alone ({shown}): write one, if they are one.")
        else:
            replace |= {other: first for first, others in several.items() for other in others if other not in replace.values()}
            doubts.append(f"Values of '{column.name}' differ by capitals, width or a last dot alone ({shown}): they are taken for one.")
    return Spellings(bool(spaced), replace, tuple(doubts))


def _is_spaced(column: Column, missing: tuple[str, ...]) -> bool:
    """Whether names have spaces around them, which nobody who asks the model types; of other values, whether these hide something."""
    trimmed = pc.utf8_trim(column.distinct, SPACES)
    is_padded = pc.not_equal(trimmed, column.distinct)
    if pc.any(pc.and_(is_padded, pc.is_in(trimmed, pa.array(missing, pa.string())))).as_py():
        return True
    if column.is_numeric:
        return len(pc.unique(trimmed)) < len(trimmed)
    return _comes_back(column) and bool(pc.any(is_padded).as_py())


def _comes_back(column: Column) -> bool:
    return 1 < len(column.distinct) <= _MOST_VALUES and column.different <= _OFTEN_NEW


def _names(names: list[str]) -> str:
    """At most _SHOWN of them, in quotes."""
    shown = ", ".join(f"'{name}'" for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")


def _value(text: str) -> str:
    """The same for all spellings of a value."""
    return " ".join(unicodedata.normalize("NFKC", text.strip(SPACES)).casefold().removesuffix(".").split())
