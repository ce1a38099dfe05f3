"""Numbers: the same graph for all of them, in columns beside each other, whatever their number.

value or missing -> median in place of a missing one -> by how much it is off the median, in quarters' distances; far off, the logarithm
                 -> its place among the quantiles of the train split, more of them among rare values where one is common
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

import pydantic
from pydantic import Field

from trainer.errors import did_you_mean
from trainer.features import names
from trainer.features.buckets import bucketed
from trainer.features.kind import Kind, RawType, one_a_row
from trainer.features.outliers import Clipped
from trainer.features.quantiles import ends, quantiles
from trainer.features.scales import Statistics, robust, scaled_otherwise
from trainer.lazy import tf

BUCKETS = 48  # of equal numbers of rows; recipes for tables use as many
_FINER = 20  # quantiles a bucket that are looked at for rare values
_EPSILON = 0.0005  # how exact a quantile is, as a share of the rows
_STATISTICS = ("median", "mean")

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class NumberFeature(Kind):
    """A number; missing is NaN or no value."""

    raw_type: ClassVar[RawType] = "float"
    missing_value: ClassVar[float | bytes | None] = float("nan")

    kind: Literal["number"] = Field("number", description="A number.")
    missing: Literal["median", "mean"] | float = Field(
        "median",
        description="What a missing value counts as: the `median`, the `mean` (with `log`, that of the logarithms), or a number. Whether "
        "it was missing is always an input of its own.",
    )
    log: bool = Field(False, description="Whether the logarithm is taken first, for numbers of very different sizes: sign(x) log(1 + |x|).")

    clip: Annotated[tuple[Share, Share], Field(strict=False)] | None = Field(
        None,
        description="What becomes of outliers: two quantiles of the training split, as shares of its rows, such as `[0.01, 0.99]`. Values "
        "beyond them count as these. None are clipped by default.",
    )
    scale: Literal["robust", "z_score", "min_max"] = Field(
        "robust",
        description="`robust` subtracts the median, divides by the distance of the quarters and takes the logarithm of what is far off; "
        "`z_score` subtracts the mean and divides by the standard deviation; `min_max` maps the training split's lowest and highest value "
        "to 0 and 1. Those of the clipped values, where they are clipped.",
    )
    buckets: int | None = Field(
        None,
        ge=2,
        le=1000,
        description="The number of quantile buckets: the number goes into the model as a category too. None by default.",
    )

    @pydantic.field_validator("missing", mode="before")
    @classmethod
    def _is_a_number_or_a_word(cls, missing: Any) -> Any:
        if missing in _STATISTICS or (isinstance(missing, int | float) and not isinstance(missing, bool)):
            return missing
        near = (did_you_mean(missing, _STATISTICS) or " A number has no quotes.") if isinstance(missing, str) else " Try median."
        raise ValueError(f"Expected `missing` of a `number` as median, mean or a number. Received: {missing!r}.{near}")

    @pydantic.field_validator("clip", mode="before")
    @classmethod
    def _is_of_shares(cls, clip: Any) -> Any:
        if clip is None:
            return None
        if not isinstance(clip, list | tuple) or len(clip) != 2 or not all(isinstance(share, int | float) for share in clip):
            raise ValueError(f"Expected `clip` of a `number` as two shares of the rows, such as [0.01, 0.99]. Received: {clip!r}.")
        low, high = sorted(clip)
        if high > 1:
            low, high = (min(max(share, 0), 100) / 100 for share in (low, high))
        if [low, high] != list(clip):
            raise ValueError(
                "Expected `clip` of a `number` as two shares of the rows from 0 to 1 in rising order. "
                f"Received: [{clip[0]:g}, {clip[1]:g}]. Did you mean [{low:g}, {high:g}]?"
            )
        if low == high:
            raise ValueError(f"Expected two different shares as `clip` of a `number`. Received: [{low:g}, {high:g}]. Try [0.01, 0.99].")
        return clip

    @classmethod
    def transform(cls, features: Mapping[str, Self], raw: Mapping[str, tf.Tensor | tf.SparseTensor]) -> dict[str, tf.Tensor]:
        """`numbers`, `ranks` and `missing`, float32 (batch, features) each; `buckets`, int64 (batch, n), of those that have them.

        A number is centred at the median and divided by the distance of the quarters; beyond 10 of those it grows as the logarithm. A rank
        is 0 at the lowest value of the train split and 1 at the highest; missing is 1 where the value was.
        """
        columns = [_column(raw[name], feature) for name, feature in features.items()]
        values = tf.stack(columns, axis=1)
        missing = tf.math.logical_not(tf.math.is_finite(values))
        known = tf.where(missing, tf.constant(float("nan")), values)
        result = _in_buckets(features, known)
        fine = quantiles(known, BUCKETS * _FINER, _EPSILON)
        low, high = ends(known, (fine[:, 0], fine[:, -1]))
        clips = [feature.clip for feature in features.values()]
        clipped = Clipped(clips, known, low, high) if any(clips) else None
        if clipped:
            values, low, high = (clipped.clip(each) for each in (values, low, high))
            fine = tf.transpose(clipped.clip(tf.transpose(fine)))
        quarter, median, third = (fine[:, _FINER * BUCKETS * part // 4 - 1] for part in (1, 2, 3))
        statistics = Statistics(known, low, high, clipped)
        given = tf.stack([_instead(feature) for feature in features.values()])
        given = clipped.clip(given) if clipped else given
        instead = tf.where(tf.math.is_nan(given), _middle(features, median, statistics), given)
        values = tf.where(missing, instead, values)
        scaled = robust(values, (quarter, median, third), (low, high))
        return result | {
            names.NUMBERS: scaled_otherwise([feature.scale for feature in features.values()], scaled, values, statistics),
            names.RANKS: _ranks(values, tf.concat([low[:, tf.newaxis], _bounds(fine), high[:, tf.newaxis]], axis=1)),
            names.MISSING: tf.cast(missing, tf.float32),
        }


def _column(raw: tf.Tensor | tf.SparseTensor, feature: NumberFeature) -> tf.Tensor:
    return _in_scale(tf.cast(one_a_row(raw, float("nan")), tf.float32), feature)


def _instead(feature: NumberFeature) -> tf.Tensor:
    """What a missing value counts as, NaN where the train split says it."""
    return _in_scale(tf.constant(float("nan") if feature.missing in _STATISTICS else feature.missing, tf.float32), feature)


def _in_scale(values: tf.Tensor, feature: NumberFeature) -> tf.Tensor:
    return tf.sign(values) * tf.math.log1p(tf.abs(values)) if feature.log else values


def _in_buckets(features: Mapping[str, NumberFeature], known: tf.Tensor) -> dict[str, tf.Tensor]:
    counts = {column: feature.buckets for column, feature in enumerate(features.values()) if feature.buckets}
    return {names.BUCKETS: bucketed(list(counts.values()), tf.gather(known, list(counts), axis=1))} if counts else {}


def _middle(features: Mapping[str, NumberFeature], median: tf.Tensor, statistics: Statistics) -> tf.Tensor:
    """(features,): what a missing value counts as where no number is given."""
    is_mean = [feature.missing == "mean" for feature in features.values()]
    return tf.where(is_mean, statistics.mean, median) if any(is_mean) else median


def _bounds(fine: tf.Tensor) -> tf.Tensor:
    """(features, BUCKETS - 1) in rising order, of (features, BUCKETS * _FINER - 1): every so many of the fine quantiles, and rare values.

    Where most rows have one value, as 0 for what few people have, nearly all quantiles are that value, and all others would share a bucket
    or two. Of each run of equal bounds two stay, which set the value apart from lower ones; the rest go to the rarer values, evenly. One
    analysis has to do for both: at one that depends on another, TFX's Transform copies parts of Beam's graph, and fails.
    """
    bounds = fine[:, _FINER - 1 :: _FINER]
    is_rare = tf.searchsorted(bounds, fine, side="right") - tf.searchsorted(bounds, fine, side="left") < 2
    rare = tf.sort(tf.where(is_rare, fine, tf.float32.max), axis=1)
    count = tf.reduce_sum(tf.cast(is_rare, tf.int32), axis=1, keepdims=True)
    third = bounds[:, 2:] <= bounds[:, :-2]
    is_free = tf.logical_and(tf.concat([tf.zeros_like(third[:, :2]), third], axis=1), count > 0)
    nth = tf.cumsum(tf.cast(is_free, tf.int32), axis=1)
    place = nth * count // (tf.reduce_max(nth, axis=1, keepdims=True) + 1)
    return tf.sort(tf.where(is_free, tf.gather(rare, place, batch_dims=1), bounds), axis=1)


def _ranks(values: tf.Tensor, bounds: tf.Tensor) -> tf.Tensor:
    """(batch, n) in 0..1: how far each value is through its column's `bounds`, (n, buckets + 1) in rising order; several may be equal."""
    by_column = tf.transpose(values)
    place = tf.clip_by_value(tf.searchsorted(bounds, by_column, side="right") - 1, 0, BUCKETS - 1)
    low, high = (tf.gather(bounds, place + step, batch_dims=1) for step in (0, 1))
    share = tf.where(high > low, (by_column - low) / tf.where(high > low, high - low, 1.0), 1.0)
    return tf.transpose((tf.cast(place, tf.float32) + tf.clip_by_value(share, 0.0, 1.0)) / BUCKETS)
