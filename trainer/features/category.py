"""Categories: values of a column that are told apart, and no more. One vocabulary holds those of all columns.

column number and value -> its place in the vocabulary of the train split -> for a value that is not there, its column's own place
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field

from trainer.features import names
from trainer.features.kind import Kind, RawType, one_a_row
from trainer.lazy import tf, tft

VOCABULARY = "categories"
_MOST_VALUES = 100_000  # of all columns together, the most frequent ones; the others count as unknown
_BETWEEN = "\x1f"  # ASCII's unit separator


class CategoryFeature(Kind):
    """A text that names one of several; missing is one more value."""

    raw_type: ClassVar[RawType] = "string"
    missing_value: ClassVar[float | bytes | None] = b""

    kind: Literal["category"] = Field("category", description="One of several values.")

    @classmethod
    def transform(cls, features: Mapping[str, Self], raw: Mapping[str, tf.Tensor | tf.SparseTensor]) -> dict[str, tf.Tensor]:
        """`categories`, int64 (batch, features): rows of a table that begins with each feature's row for unknown values."""
        columns = [tf.strings.join([f"{index}{_BETWEEN}", one_a_row(raw[name], b"")]) for index, name in enumerate(features)]
        tokens = tf.stack(columns, axis=1)
        vocabulary = tft.vocabulary(tokens, top_k=_MOST_VALUES, vocab_filename=VOCABULARY)
        places = tft.apply_vocabulary(tokens, vocabulary, default_value=-1)
        unknown = tf.range(len(features), dtype=tf.int64)
        return {names.CATEGORIES: tf.where(places < 0, unknown, places + len(features))}


def table_size(features: int, graph: tft.TFTransformOutput) -> int:
    """Rows of the table that `categories` of so many features are places in."""
    return features + graph.vocabulary_size_by_name(VOCABULARY)
