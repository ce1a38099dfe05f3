"""Series: the newest numbers of a list, such as the last 24 hours of a row's station, all series of the problem beside each other.

list, the oldest first -> its newest numbers, the newest first -> by how much each is off the median, in quarters' distances
                       -> beside those of the other series, with what is missing and which places are there at all
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field

from trainer.features import names
from trainer.features.kind import Kind, RawType
from trainer.features.quantiles import ends, quantiles
from trainer.features.scales import robust
from trainer.lazy import tf

_EPSILON = 0.0005  # how exact a quantile is, as a share of the values


class SeriesFeature(Kind):
    """A list of numbers, the oldest first; NaN is a missing one, and what stands before the first number is nothing."""

    raw_type: ClassVar[RawType] = "floats"

    kind: Literal["series"] = Field("series", description="A list of numbers in the order of time, the oldest first.")
    length: int = Field(
        24, ge=2, le=1000, description="How many of the newest numbers the model sees; all series of a config have the same."
    )

    of: str | None = Field(
        None, description="With `data.series`, the column whose numbers the list is made of; the one of the feature's name by default."
    )

    @classmethod
    def transform(cls, features: Mapping[str, Self], raw: Mapping[str, tf.Tensor | tf.SparseTensor]) -> dict[str, tf.Tensor]:
        """`series`, float32 (batch, length, 2 n + 1): the numbers of n series, which of them are missing, and which places are there.

        The newest is first, so that it is at the same place in every row and padding is behind, where recurrent layers of a GPU want it.
        A place is there up to the oldest number that any of the row's series has. Elsewhere all values are 0.
        """
        length = next(iter(features.values())).length
        values = tf.stack([_newest_first(raw[name], length) for name in features], axis=2)
        missing = tf.math.logical_not(tf.math.is_finite(values))
        known = tf.where(missing, tf.constant(float("nan")), values)
        rows = tf.reshape(known, [-1, len(features)])
        quarter, median, third = tf.unstack(quantiles(rows, 4, _EPSILON), axis=1)
        scaled = robust(tf.where(missing, median, values), (quarter, median, third), ends(rows, (quarter, third)))
        is_number = tf.cast(tf.reduce_any(tf.math.logical_not(missing), axis=2, keepdims=True), tf.float32)
        there = tf.cumsum(is_number, axis=1, reverse=True) > 0
        parts = [scaled, tf.cast(missing, tf.float32), tf.ones_like(is_number)]
        return {names.SERIES: tf.where(there, tf.concat(parts, axis=2), 0.0)}


def padded_in_front(raw: tf.Tensor | tf.SparseTensor, width: tf.Tensor | int) -> tf.Tensor:
    """float32 (batch, width): the last numbers of each row's list, NaN before the first one, whatever way TFX hands the lists over."""
    if isinstance(raw, tf.SparseTensor):
        lengths = tf.math.bincount(tf.cast(raw.indices[:, 0], tf.int32), minlength=tf.cast(raw.dense_shape[0], tf.int32), dtype=tf.int64)
        dense = tf.sparse.to_dense(raw, tf.constant(float("nan"), raw.dtype))
    else:
        dense = tf.reshape(raw, [tf.shape(raw)[0], -1])
        lengths = tf.fill([tf.shape(dense)[0]], tf.shape(dense, tf.int64)[1])
    before = tf.fill([tf.shape(dense)[0], 1], tf.constant(float("nan"), dense.dtype))
    places = lengths[:, tf.newaxis] - tf.range(tf.cast(width, tf.int64))[::-1]
    return tf.gather(tf.concat([before, dense], axis=1), tf.maximum(places, 0), batch_dims=1)


def _newest_first(raw: tf.Tensor | tf.SparseTensor, length: int) -> tf.Tensor:
    return tf.ensure_shape(tf.reverse(padded_in_front(raw, length), [1]), (None, length))
