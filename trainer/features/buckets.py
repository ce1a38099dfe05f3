"""Buckets: a number as a category, by where it is among the quantiles of the train split; missing is a bucket of its own."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from trainer.features.kind import places_in_table
from trainer.features.quantiles import quantiles
from trainer.lazy import tf

_EPSILON = 0.001


def bucketed(counts: Sequence[int], known: tf.Tensor) -> tf.Tensor:
    """int64 (batch, features): each value's row in a table that has `count` rows for a feature and one more, its last, for missing.

    Args:
      counts: buckets of each feature.
      known: float32 (batch, features), NaN where a value is missing.
    """
    starts = list(itertools.accumulate((count + 1 for count in counts), initial=0))
    order, parts = [], []
    for count in dict.fromkeys(counts):  # an analyzer for each number of buckets, not for each column
        columns = [column for column, own in enumerate(counts) if own == count]
        values = tf.gather(known, columns, axis=1)
        place = tf.transpose(tf.searchsorted(quantiles(values, count, _EPSILON), tf.transpose(values), side="right", out_type=tf.int64))
        place = tf.where(tf.math.is_nan(values), tf.constant(count, tf.int64), place)
        parts.append(place + tf.constant([starts[column] for column in columns], tf.int64))
        order += columns
    rows = tf.gather(tf.concat(parts, axis=1), [order.index(column) for column in range(len(counts))], axis=1)
    return places_in_table(rows, tf.constant(starts[-1], tf.int64))
