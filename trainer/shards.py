"""Which rows of a split each of several workers reads, and in which order it takes them: one worker has all.

rows with a known label, in the files' order, dealt out one by one -> each worker's own -> each epoch: a new seeded order of them
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

_OF_A_WORKER = 2**32  # beyond any epoch's number: else two workers would order their rows alike, and the same rows would always meet


class Shard(NamedTuple):
    """One worker's part of a split.

    Dealt out so, the workers' numbers of rows differ by one at most, so that only an epoch's last batch is uneven between them.

    Attributes:
      number: of the worker, from 0 on.
      count: how many workers there are.
    """

    number: int = 0
    count: int = 1

    def among(self, known: tf.Tensor, before: tf.Tensor | int = 0) -> tf.Tensor:
        """Bool (n,): which rows are its own, of rows whose label is `known`, bool (n,), behind so many known ones."""
        number = tf.cumsum(tf.cast(known, tf.int64), exclusive=True) + tf.cast(before, tf.int64)
        return known & (number % self.count == self.number)

    def rows(self, examples: int) -> int:
        """How many of so many rows with a known label are its own."""
        return len(range(self.number, examples, self.count))

    def local_batch(self, batch_size: int) -> int:
        """Rows of a global batch that are its own."""
        return -(-batch_size // self.count)

    def order(self, examples: int, seed: int, epoch: tf.Tensor | int) -> tf.Tensor:
        """int32 (rows,): its own rows in an epoch's order, each by its place among them, 0 for the first; of `examples` in all."""
        places = tf.range(self.rows(examples))
        return tf.random.experimental.stateless_shuffle(
            places, seed=tf.stack([seed, epoch + tf.constant(self.number * _OF_A_WORKER, tf.int64)])
        )
