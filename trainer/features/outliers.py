"""Outliers: values beyond two quantiles of the train split count as those quantiles.

Everything is made of one analyzer's quantiles. An analyzer of the clipped values would need another pass over the data.
"""

from __future__ import annotations

from collections.abc import Sequence

from trainer.features.quantiles import quantiles
from trainer.lazy import tf

Clip = tuple[float, float]  # shares of the rows

_STEPS = 1000  # shares of the rows are looked up in thousandths, and interpolated between them
_EPSILON = 0.0001  # the outermost quantiles are asked for, so they are ten times as exact as a step


class Clipped:
    """The features that are clipped.

    Args:
      clips: of each feature; one or more are not None.
      known: float32 (batch, features), NaN where a value is missing.
      low: float32 (features,), the train split's lowest values.
      high: float32 (features,), its highest.
    """

    def __init__(self, clips: Sequence[Clip | None], known: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> None:
        given = {column: clip for column, clip in enumerate(clips) if clip}
        self._columns, self._features = list(given), len(clips)
        self._loses = [clip != (0.0, 1.0) for clip in given.values()]  # whether a value of the train split may change
        inner = quantiles(tf.gather(known, self._columns, axis=1), _STEPS, _EPSILON)
        ends = [tf.gather(end, self._columns)[:, tf.newaxis] for end in (low, high)]
        # A sketch's outermost quantile and the exact end may differ in the last bit.
        self._steps = tf.clip_by_value(tf.concat([ends[0], inner, ends[1]], axis=1), *ends)
        self._bounds = [_at(self._steps, [clip[side] for clip in given.values()]) for side in (0, 1)]

    def clip(self, values: tf.Tensor) -> tf.Tensor:
        """The values, (..., features), within their bounds; NaN stays NaN."""
        floor, ceiling = (
            self._among(tf.fill((self._features,), none), bound)
            for none, bound in zip((float("-inf"), float("inf")), self._bounds, strict=True)
        )
        return tf.where(tf.math.is_nan(values), values, tf.clip_by_value(values, floor, ceiling))

    def moments(self, mean: tf.Tensor, deviation: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean and standard deviation, float32 (features,) each, with those of the clipped values where some are clipped."""
        steps = tf.cast(tf.clip_by_value(self._steps, *(bound[:, tf.newaxis] for bound in self._bounds)), tf.float64)
        own_mean = tf.reduce_mean((steps[:, :-1] + steps[:, 1:]) / 2, axis=1)
        off = steps - own_mean[:, tf.newaxis]
        lower, upper = off[:, :-1], off[:, 1:]
        own_deviation = tf.sqrt(tf.reduce_mean((lower * lower + lower * upper + upper * upper) / 3, axis=1))
        return tuple(
            self._among(given, tf.where(self._loses, tf.cast(own, tf.float32), tf.gather(given, self._columns)))
            for given, own in ((mean, own_mean), (deviation, own_deviation))
        )

    def _among(self, every: tf.Tensor, own: tf.Tensor) -> tf.Tensor:
        """(features,): `every` with `own`, (clipped features,), in their places."""
        return tf.tensor_scatter_nd_update(every, [[column] for column in self._columns], own)


def _at(steps: tf.Tensor, shares: list[float]) -> tf.Tensor:
    """float32 (columns,): each column's quantile of its share, of (columns, _STEPS + 1)."""
    places = [min(int(round(share * _STEPS, 6)), _STEPS - 1) for share in shares]
    lower, upper = (tf.gather(steps, [place + more for place in places], batch_dims=1) for more in (0, 1))
    weights = tf.constant([round(share * _STEPS - place, 6) for share, place in zip(shares, places, strict=True)], tf.float32)
    return lower * (1 - weights) + upper * weights
