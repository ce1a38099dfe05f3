"""The scales of a number beside the robust one: of all numbers together, by analyzers that run only where one of them is asked for."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from trainer.lazy import tf, tft


class Statistics:
    """What the train split says of each column, float32 (features,) each.

    Args:
      known: float32 (batch, features), NaN where a value is missing.
      low: the lowest values.
      high: the highest.
    """

    def __init__(self, known: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> None:
        self._known, self.low, self.high = known, low, high

    @functools.cached_property
    def mean(self) -> tf.Tensor:
        """0 of a column without a value."""
        return _or_0(tft.mean(tf.cast(self._known, tf.float64), reduce_instance_dims=False))

    @functools.cached_property
    def deviation(self) -> tf.Tensor:
        """The standard deviation, 0 of a column without a value."""
        return _or_0(tf.sqrt(tft.var(tf.cast(self._known, tf.float64), reduce_instance_dims=False)))


def scaled_otherwise(scales: Sequence[str], numbers: tf.Tensor, values: tf.Tensor, statistics: Statistics) -> tf.Tensor:
    """`numbers`, float32 (batch, features), with those of another scale than `robust` made of their `values`; constant columns are 0."""
    if "z_score" in scales:
        found = (values - statistics.mean) / _divisor(statistics.deviation)
        numbers = tf.where([scale == "z_score" for scale in scales], found, numbers)
    if "min_max" in scales:
        found = (values - statistics.low) / _divisor(statistics.high - statistics.low)
        numbers = tf.where([scale == "min_max" for scale in scales], found, numbers)
    return numbers


def _divisor(spread: tf.Tensor) -> tf.Tensor:
    return tf.where(spread > 0, spread, 1.0)


def _or_0(found: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.where(tf.math.is_finite(found), found, 0.0), tf.float32)
