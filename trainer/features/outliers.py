"""Outliers: values beyond two quantiles of the train split count as those quantiles."""

from __future__ import annotations

from collections.abc import Sequence

from trainer.features.quantiles import quantiles
from trainer.lazy import tf

Clip = tuple[float, float]  # shares of the rows

_STEPS = 1000  # shares of the rows are looked up in thousandths, and interpolated between them
_EPSILON = 0.0001  # the outermost quantiles are asked for, so they are ten times as exact as a step


def clip_bounds(clips: Sequence[Clip | None], known: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The least and the most that a value may be, float32 (features,) each; infinite where a feature is not clipped.

    Args:
      clips: of each feature.
      known: float32 (batch, features), NaN where a value is missing.
      low: float32 (features,), the train split's lowest values.
      high: float32 (features,), its highest.
    """
    columns = [column for column, clip in enumerate(clips) if clip]
    inner = quantiles(tf.gather(known, columns, axis=1), _STEPS, _EPSILON)
    ends = [tf.gather(end, columns)[:, tf.newaxis] for end in (low, high)]
    steps = tf.concat([ends[0], inner, ends[1]], axis=1)
    # A sketch's outermost quantile and the exact end may differ in the last bit.
    steps = tf.clip_by_value(steps, ends[0], ends[1])
    where = [[column] for column in columns]
    none = (float("-inf"), float("inf"))
    return tuple(
        tf.tensor_scatter_nd_update(tf.fill(tf.shape(low), none[side]), where, _at(steps, [clips[column][side] for column in columns]))
        for side in (0, 1)
    )


def _at(steps: tf.Tensor, shares: list[float]) -> tf.Tensor:
    """float32 (columns,): each column's quantile of its share, of (columns, _STEPS + 1)."""
    places = [min(int(round(share * _STEPS, 6)), _STEPS - 1) for share in shares]
    lower, upper = (tf.gather(steps, [place + more for place in places], batch_dims=1) for more in (0, 1))
    weights = tf.constant([round(share * _STEPS - place, 6) for share, place in zip(shares, places, strict=True)], tf.float32)
    return lower * (1 - weights) + upper * weights
