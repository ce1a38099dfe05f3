"""Rows of a split in which something is wrong: how many, with which values, and where the first of them stand in the raw data.

tests by key -> once through the split's rows -> for each key: count, different values, a row for each of the first
-> the places of these rows -> `'a' (line 3 of x.csv), 'b' (line 9 of x.csv), 'c' (line 12 of x.csv) and 2 more`
"""

import collections
import dataclasses
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

import tensorflow as tf

from components.example_rows import Value, records, values

MOST_SHOWN = 3
_Key = TypeVar("_Key", bound=Hashable)
Places = Mapping[tuple[str, bytes], str]  # as `example_gen.origin.places` gives


@dataclasses.dataclass(frozen=True)
class Test:
    """What finds a wrong row.

    Attributes:
      column: whose values it looks at.
      wrong: gives the wrong ones of a row's values, none where one is missing, and None where the row is as it should be.
    """

    column: str
    wrong: Callable[[list[Value]], list[Value] | None]


@dataclasses.dataclass
class Hits:
    """The rows that a test has hit.

    Attributes:
      rows: how many.
      values: how often each wrong value is there, as `shown`.
      examples: up to MOST_SHOWN of the values and the first row of each, serialized; of rows without a value the first, each with "".
    """

    rows: int = 0
    values: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    examples: list[tuple[str, bytes]] = dataclasses.field(default_factory=list)

    def add(self, wrong: Sequence[Value], record: bytes) -> None:
        """One more row, with its wrong values."""
        self.rows += 1
        texts = [shown(value) for value in wrong]
        new = [text for text in dict.fromkeys(texts) if text not in self.values] if texts else [""]
        self.examples += [(text, record) for text in new[: MOST_SHOWN - len(self.examples)]]
        self.values.update(texts)

    def places(self, split: str, places: Places) -> list[str]:
        """Where each of the examples stands, where that is known of all of them; else nothing."""
        known = [places.get((split, record), "") for _, record in self.examples]
        return known if all(known) else []

    def sentence(self, places: Sequence[str] = ()) -> str:
        """The values with their `places`; the places alone where there are no values."""
        if not self.values:
            return ", ".join(places)
        said = [text for text, _ in self.examples]
        return listed([f"{text} ({place})" for text, place in zip(said, places, strict=True)] if places else said, len(self.values))


def counted(tests: Mapping[_Key, Test], split_uri: str) -> dict[_Key, Hits]:
    """What each test hits in the folder of a split's TFRecords, which is read once, if there are any tests."""
    hits = {key: Hits() for key in tests}
    for record in records(split_uri) if tests else ():
        example = tf.train.Example.FromString(record)
        for key, test in tests.items():
            wrong = test.wrong(values(example, test.column))
            if wrong is not None:
                hits[key].add(wrong, record)
    return hits


def listed(items: Sequence[str], of: int) -> str:
    """The items, and how many of all are not among them."""
    return ", ".join(items) + (f" and {of - len(items):,} more" if of > len(items) else "")


def shown(value: Value, quote: bool = True) -> str:
    """A value as a person writes it: texts in quotes, short."""
    if isinstance(value, bytes):
        text = value.decode("utf-8", "replace")
        if not quote:
            return text
        return repr(text if len(text) <= 60 else f"{text[:60]}...")
    return f"{value:.6g}" if isinstance(value, float) else str(value)
