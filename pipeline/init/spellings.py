"""Values of a column that are one value in several spellings: `Yes`, `YES` and `yes `, `<=50K` and `<=50K.`, `Ａ` and `A`."""

import collections
import unicodedata
from typing import NamedTuple

from components.example_gen.readers.spelling import SPACES
from pipeline.init.column import Column

_MOST_VALUES, _OFTEN_NEW = 1000, 0.5  # distinct ones and their share, above which they are no names
_MOST = 50  # spellings of a column that are replaced
_SHOWN = 3


class Spellings(NamedTuple):
    """How to make one spelling of several.

    Attributes:
      trim: whether values differ by the spaces around them alone.
      replace: {a spelling without these spaces: the most frequent one of the same value}.
      doubts: what was found, a sentence for each column.
    """

    trim: bool
    replace: dict[str, str]
    doubts: tuple[str, ...]


def find(columns: list[Column]) -> Spellings:
    """Of the columns whose values come back. One letter may mean another in lower case, and is only told of."""
    trim, replace, doubts = False, {}, []
    for column in columns:
        if column.is_numeric or not 1 < len(column.distinct) <= _MOST_VALUES or column.different > _OFTEN_NEW:
            continue
        by_value: dict[str, list[str]] = collections.defaultdict(list)
        for text in column.distinct.to_pylist():  # the most frequent first
            by_value[_value(text)].append(text)
        is_spaced = any(len(texts) > 1 and any(text != text.strip(SPACES) for text in texts) for texts in by_value.values())
        trim |= is_spaced
        if is_spaced:
            doubts.append(f"Values of '{column.name}' differ by the spaces around them, seen or not: these are taken away.")
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
    return Spellings(trim, replace, tuple(doubts))


def _value(text: str) -> str:
    """The same for all spellings of a value."""
    return " ".join(unicodedata.normalize("NFKC", text.strip(SPACES)).casefold().removesuffix(".").split())
