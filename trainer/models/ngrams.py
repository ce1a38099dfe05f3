"""A text's vector: those of its n-grams, added up, however long it is."""

from __future__ import annotations

from collections.abc import Iterable

import keras
import tensorflow as tf
from keras import layers

TOKENS = "tokens"  # int64 (n,), numbers of n-grams from 1 on, then 0; `tokens_2` and so on of further texts


def token_inputs(inputs: Iterable[str]) -> list[str]:
    """Those of the inputs' names that are texts."""
    return [name for name in inputs if name == TOKENS or name.startswith(f"{TOKENS}_")]


@keras.saving.register_keras_serializable("tapeline")
class NgramBag(layers.Layer):
    """The sum of the n-grams' learnt vectors over the square root of their number, so that long texts are not much louder than short ones.

    While training, a share `dropout` of the n-grams is left out, so that the others learn to do without any of them.
    """

    def __init__(self, rows: int, width: int, dropout: float, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.rows, self.width, self.dropout = rows, width, dropout
        self.kept = layers.Dropout(dropout)

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Makes the table."""
        self.table = self.add_weight((self.rows, self.width), keras.initializers.RandomNormal(stddev=self.width**-0.5), name="table")

    def call(self, tokens: tf.Tensor, training: bool = False) -> tf.Tensor:
        """int64 (batch, n) -> float32 (batch, width); zeros for a text without n-grams."""
        there = self.kept(tf.cast(tokens > 0, self.compute_dtype), training=training)
        there = tf.cast(there > 0, self.compute_dtype)  # a dropout layer makes the rest larger, which dividing by the number does already
        pooled = tf.einsum("bn,bnw->bw", there, tf.gather(self.table, tokens))
        return pooled * tf.math.rsqrt(tf.maximum(tf.reduce_sum(there, axis=1, keepdims=True), 1.0))

    def get_config(self) -> dict[str, object]:
        """The arguments."""
        return {**super().get_config(), "rows": self.rows, "width": self.width, "dropout": self.dropout}
