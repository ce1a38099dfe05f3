"""Categories: values of a column that are told apart, and no more. One vocabulary holds those of all columns with equal settings.

column number and value -> its place in the vocabulary of the train split -> for a value that is not there, one of its column's own places
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Self

import pydantic
from pydantic import Field

from trainer.features import names
from trainer.features.kind import Kind, RawType, numbered, one_a_row, places_in_table
from trainer.lazy import tf, tft

_INPUTS = {"embedding": names.CATEGORIES, "one_hot": names.ONE_HOT}  # the model's, by encoding; vocabularies are called the same
_MOST_VALUES = 100_000  # of all columns together, the most frequent ones; the others count as unknown
_BETWEEN = "\x1f"  # ASCII's unit separator
_HASHES = 2**62


class CategoryFeature(Kind):
    """A text that names one of several; missing is one more value."""

    raw_type: ClassVar[RawType] = "string"
    missing_value: ClassVar[float | bytes | None] = b""

    kind: Literal["category"] = Field("category", description="One of several values.")
    encoding: Literal["embedding", "one_hot"] = Field(
        "embedding", description="What the model makes of a value: a vector that it learns, or 1 at the value's own place and 0 elsewhere."
    )
    min_count: int = Field(1, ge=1, description="How many rows of the train split a value must have; rarer ones count as unknown.")
    max_size: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="The most values that are told apart, the most frequent ones; the others count as unknown. By default all columns "
        f"together have {_MOST_VALUES:,}.",
    )
    unknown: int = Field(1, ge=1, le=1 << 20, description="The number of hash buckets that unknown values share.")
    hashed: int | None = Field(
        None,
        ge=2,
        le=1 << 24,
        description="The number of hash buckets that all values share, without a vocabulary: for columns with millions of values.",
    )

    @pydantic.model_validator(mode="after")
    def _has_one_vocabulary_or_none(self) -> Self:
        for key in ("min_count", "max_size", "unknown"):
            given = getattr(self, key)
            if self.hashed is not None and given != type(self).model_fields[key].default:
                raise ValueError(
                    f"Expected no `{key}` of a `category` with `hashed`, which has no vocabulary. Received: {given}. Remove one of the two."
                )
        return self

    @property
    def learns_from_data(self) -> bool:
        """A hash needs no vocabulary."""
        return self.hashed is None

    @classmethod
    def transform(cls, features: Mapping[str, Self], raw: Mapping[str, tf.Tensor | tf.SparseTensor]) -> dict[str, tf.Tensor]:
        """`categories` and `one_hot`, int64 (batch, features) each: rows of a table.

        It begins with each feature's rows for unknown values, which of one that is hashed are all of its rows.
        """
        result = {}
        for encoding, name in _INPUTS.items():
            own = {column: feature for column, feature in features.items() if feature.encoding == encoding}
            if own:
                result[name] = _places(list(own.values()), [values_of(raw[column]) for column in own], name)
        return result


def values_of(raw: tf.Tensor | tf.SparseTensor) -> tf.Tensor:
    """String (batch,), a column's values as they are told apart: a whole number with one zero behind the point is the number without.

    So `1` of JSON is the `1.0` that Parquet and pandas' CSV write of the same number where a column has gaps. `1.00` is another value.
    """
    return tf.strings.regex_replace(one_a_row(raw, b""), r"^(-?[0-9]+)\.0$", r"\1")


def _places(features: Sequence[CategoryFeature], values: Sequence[tf.Tensor], name: str) -> tf.Tensor:
    """int64 (batch, features) of string (batch,) for each; `name` begins those of the vocabularies.

    Features with equal limits share a vocabulary, so that a thousand columns are no thousand analyzers.
    """
    tokens = tf.stack([tf.strings.join([f"{index}{_BETWEEN}", column]) for index, column in enumerate(values)], axis=1)
    counts = [feature.hashed or feature.unknown for feature in features]
    starts = list(itertools.accumulate(counts, initial=0))
    unknown = tf.broadcast_to(tf.constant(starts[:-1], tf.int64), tf.shape(tokens))
    if max(counts) > 1:
        unknown += tf.strings.to_hash_bucket_fast(tf.stack(values, axis=1), _HASHES) % tf.constant(counts, tf.int64)
    groups: dict[tuple[int, int | None], list[int]] = {}
    for column, feature in enumerate(features):
        if feature.hashed is None:
            groups.setdefault((feature.min_count, feature.max_size), []).append(column)
    order = [column for column, feature in enumerate(features) if feature.hashed is not None]
    parts = [tf.gather(unknown, order, axis=1)] if order else []
    rows = tf.constant(starts[-1], tf.int64)
    for number, (limits, columns) in enumerate(groups.items()):
        own = tf.gather(tokens, columns, axis=1)
        filename = numbered(name, number)
        found = tft.apply_vocabulary(own, _vocabulary(own, filename, *limits), default_value=-1)
        parts.append(tf.where(found < 0, tf.gather(unknown, columns, axis=1), found + rows))
        rows += tf.cast(tft.experimental.get_vocabulary_size_by_name(filename), tf.int64)
        order += columns
    places = tf.gather(tf.concat(parts, axis=1), [order.index(column) for column in range(len(features))], axis=1)
    return places_in_table(places, rows)


def _vocabulary(tokens: tf.Tensor, filename: str, min_count: int, max_size: int | None) -> tf.Tensor:
    at_least = min_count if min_count > 1 else None
    if max_size is None:
        return tft.vocabulary(tokens, top_k=_MOST_VALUES, frequency_threshold=at_least, vocab_filename=filename)
    # The most frequent ones of each column; that of all columns, which the analyzer wants to be asked for, is one of them.
    return tft.vocabulary(
        tokens,
        top_k=1,
        frequency_threshold=at_least,
        coverage_top_k=max_size,
        coverage_frequency_threshold=at_least,
        key_fn=_column_of,
        vocab_filename=filename,
    )


def _column_of(token: bytes) -> bytes:
    return token.partition(_BETWEEN.encode())[0]
