"""The block that transformers are stacks of, and how they learn which place a vector is at."""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import layers


def encoder_block(
    x: keras.KerasTensor, heads: int, units: int, dropout: float, there: keras.KerasTensor | None = None
) -> keras.KerasTensor:
    """Every vector looks at all that are there, then each goes through two dense layers; both are added to what it was.

    Normalised before each part, as in arXiv:2002.04745: so no warm-up of the learning rate is needed.

    Args:
      x: float32 (batch, n, values), which stays the shape.
      heads: of the attention; `values` is a multiple.
      units: of the hidden dense layer.
      dropout: share of the values dropped in each part while training.
      there: bool (batch, n), which vectors may be looked at; all by default.
    """
    width = x.shape[-1]
    y = layers.LayerNormalization(epsilon=1e-6)(x)
    mask = None if there is None else keras.ops.expand_dims(there, 1)
    y = layers.MultiHeadAttention(heads, width // heads, flash_attention=False)(y, y, attention_mask=mask)
    x = layers.Add()([x, layers.Dropout(dropout)(y)])
    y = layers.LayerNormalization(epsilon=1e-6)(x)
    y = layers.Dense(width)(layers.Dense(units, activation="gelu")(y))
    return layers.Add()([x, layers.Dropout(dropout)(y)])


@keras.saving.register_keras_serializable("tapeline")
class LearnedPositions(layers.Layer):
    """Adds to each vector a learnt one of its place."""

    def __init__(self, length: int, stddev: float = 0.02, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.length, self.stddev = length, stddev

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Makes a vector for each of `length` places."""
        self.positions = self.add_weight((self.length, shape[-1]), keras.initializers.RandomNormal(stddev=self.stddev), name="positions")

    def call(self, vectors: tf.Tensor) -> tf.Tensor:
        """Float (batch, n, values), n up to `length` -> the same shape."""
        return vectors + self.positions[: tf.shape(vectors)[1]]

    def get_config(self) -> dict[str, object]:
        """The arguments."""
        return {**super().get_config(), "length": self.length, "stddev": self.stddev}
