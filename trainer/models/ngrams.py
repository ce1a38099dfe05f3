"""A text's vector: those of its n-grams, added up, however long it is."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import tensorflow as tf
from keras import layers

from trainer.features import names


def model_inputs(inputs: Mapping[str, tf.io.FixedLenFeature]) -> dict[str, keras.KerasTensor]:
    """What a functional model takes, by name; of a text any number of n-grams, for a batch ends where its longest text does."""
    texts = {name for own in names.text_inputs(inputs).values() for name in own}
    shapes = {name: (None,) if name in texts else feature.shape for name, feature in inputs.items()}
    return {name: keras.Input(shape, dtype=inputs[name].dtype.name, name=name) for name, shape in shapes.items()}


@keras.saving.register_keras_serializable("tapeline")
class NgramBag(layers.Layer):
    """The sum of the n-grams' learnt vectors over the square root of their number, so that long texts are not much louder than short ones.

    With weights: of the vectors times their weights, over the root of the sum of the weights' squares, which is the same where all are 1.

    While training, a share `dropout` of the n-grams is left out, so that the others learn to do without any of them. The vectors begin
    as `initializer` says, the name of one of Keras's, else at random.
    """

    def __init__(self, rows: int, width: int, dropout: float, initializer: str | None = None, **kwargs: object) -> None:
        super().__init__(autocast=False, **kwargs)  # float32 as far as the sum, whose terms are many; and so the table is not cast whole
        self.rows, self.width, self.dropout, self.initializer = rows, width, dropout, initializer
        self.kept = layers.Dropout(dropout)

    def build(self, tokens_shape: tuple[int | None, ...], weights_shape: tuple[int | None, ...] | None = None) -> None:
        """Makes the table."""
        initializer = self.initializer or keras.initializers.RandomNormal(stddev=self.width**-0.5)
        self.table = self.add_weight((self.rows, self.width), initializer, name="table", autocast=False)

    def call(self, tokens: tf.Tensor, weights: tf.Tensor | None = None, training: bool = False) -> tf.Tensor:
        """int64 (batch, n), and float32 (batch, n) if any -> (batch, width); zeros for a text without n-grams."""
        there = self.kept(tf.cast(tokens > 0, tf.float32), training=training)
        there = tf.cast(there > 0, tf.float32)  # a dropout layer makes the rest larger, which dividing by the number does already
        if weights is not None:
            pooled = tf.einsum("bn,bnw->bw", there * weights, tf.gather(self.table, tokens))
            squares = tf.reduce_sum(there * tf.square(weights), axis=1, keepdims=True)
        else:
            pooled = tf.einsum("bn,bnw->bw", there, tf.gather(self.table, tokens))
            squares = tf.reduce_sum(there, axis=1, keepdims=True)
        return tf.cast(pooled * tf.math.rsqrt(tf.maximum(squares, 1.0)), self.compute_dtype)

    def get_config(self) -> dict[str, object]:
        """The arguments."""
        own = {"rows": self.rows, "width": self.width, "dropout": self.dropout, "initializer": self.initializer}
        return {**super().get_config(), **own}
