"""Quantiles of the train split's columns, all in one analyzer."""

from __future__ import annotations

from trainer.lazy import tf, tft

_NEXT_TO_NOTHING = 1e-6  # rows


def quantiles(known: tf.Tensor, buckets: int, epsilon: float) -> tf.Tensor:
    """(features, buckets - 1) of the train split's values in `known`, where NaN does not count; 0 for a column without a value.

    The analyzer fails where a column has none at all, so each batch gets a row of zeros that weighs next to nothing. `epsilon` is how
    exact a quantile is, as a share of the rows.
    """
    padded = tf.concat([known, tf.zeros((1, known.shape[1]))], axis=0)
    weights = tf.concat([tf.ones(tf.shape(known)[:1]), [_NEXT_TO_NOTHING]], axis=0)
    return tft.quantiles(padded, buckets, epsilon, weights=weights, reduce_instance_dims=False)


def ends(known: tf.Tensor, inner: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """(features,) each: the train split's lowest and highest values in `known`, (rows, features), where NaN does not count.

    They reach as far as `inner`, two of its quantiles, which may differ from an exact end in the last bit.
    """
    is_known = tf.math.is_finite(known)
    low = tft.min(tf.where(is_known, known, tf.float32.max), reduce_instance_dims=False)
    high = tft.max(tf.where(is_known, known, tf.float32.min), reduce_instance_dims=False)
    return tf.minimum(low, inner[0]), tf.maximum(high, inner[1])
