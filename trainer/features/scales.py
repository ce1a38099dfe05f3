"""The scales of numbers: the robust one, and beside it others, by analyzers that run only where one of them is asked for."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from trainer.features.outliers import Clipped
from trainer.lazy import tf, tft

_FAR = 10.0  # quarters' distances up to which a number stays as it is, so that sums and differences of columns can be learnt exactly


def robust(values: tf.Tensor, quarters: tuple[tf.Tensor, tf.Tensor, tf.Tensor], ends: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    """By how much `values`, float32 (..., features), are off the median, in quarters' distances; far off it grows as the logarithm.

    Args:
      values: none of them missing.
      quarters: (features,) each, the train split's three quartiles.
      ends: its lowest and highest value, which count where the quarters are equal.
    """
    quarter, median, third = quarters
    low, high = ends
    spread = tf.where(third > quarter, third - quarter, tf.where(high > low, (high - low) / 2, 1.0))
    return _tamed((values - median) / spread)


def _tamed(scaled: tf.Tensor) -> tf.Tensor:
    """`scaled` up to _FAR, from there on its logarithm, without a bend."""
    far = tf.maximum(tf.abs(scaled) / _FAR, 1.0)
    return tf.clip_by_value(scaled, -_FAR, _FAR) * (1 + tf.math.log(far))


class Statistics:
    """What the train split says of each column, float32 (features,) each; of the clipped values, where they are clipped.

    Args:
      known: float32 (batch, features), not clipped, NaN where a value is missing.
      low: the lowest values.
      high: the highest.
      clipped: how they are clipped, if any is.
    """

    def __init__(self, known: tf.Tensor, low: tf.Tensor, high: tf.Tensor, clipped: Clipped | None) -> None:
        self._known, self.low, self.high, self._clipped = known, low, high, clipped

    @property
    def mean(self) -> tf.Tensor:
        """0 of a column without a value."""
        return self._moments[0]

    @property
    def deviation(self) -> tf.Tensor:
        """The standard deviation, 0 of a column without a value."""
        return self._moments[1]

    @functools.cached_property
    def _moments(self) -> tuple[tf.Tensor, tf.Tensor]:
        known = tf.cast(self._known, tf.float64)
        # Of one column alone the analyzer gives a scalar.
        mean, variance = (tf.reshape(of(known, reduce_instance_dims=False), (known.shape[1],)) for of in (tft.mean, tft.var))
        moments = _or_0(mean), _or_0(tf.sqrt(variance))
        return self._clipped.moments(*moments) if self._clipped else moments


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
