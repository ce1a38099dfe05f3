"""The model for tables: TabM-mini, an ensemble in one network, with piecewise-linear embeddings of numbers (arXiv:2410.24210, 2203.05556).

numbers, ranks, categories, buckets, crosses, texts, pictures -> a small vector each -> beside each other, with whatever else there is
    -> each member scales them its own way -> dense layers that all share -> a head for each member -> logits (batch, members, outputs)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from trainer.config import Augmentation
from trainer.input_pipeline import only_or_all
from trainer.models.encodings import check, encoded, uniform
from trainer.models.members import Activation, Ensemble
from trainer.models.ngrams import model_inputs

MEMBERS = 8
UNITS = 256
LAYERS = 3


def build(
    inputs: Mapping[str, tf.io.FixedLenFeature],
    outputs: int,
    dropout: float,
    *,
    sizes: Mapping[str, int] = MappingProxyType({}),
    activation: Activation = "softmax",
    augment: Sequence[Augmentation] = (),
    **_: Any,
) -> keras.Model:
    """The model for any of the inputs that `encodings.encoded` takes.

    Args:
      inputs: shape and dtype of a row of each input, by name.
      outputs: logits of one member.
      dropout: share of the units dropped after each dense layer while training.
      sizes: of each input of places how many there are, as `categories` or, with n-grams, `tokens`.
      activation: what makes probabilities of the logits; see `members.average`.
      augment: what is done to pictures at random while training.

    Returns:
      A model from the inputs by name (or the only one) to float32 logits (batch, members, outputs); see `members.Ensemble`.

    Raises:
      ConfigError: an input is neither a vector nor a picture, there is none, or how many places there are is not given.
    """
    check(inputs, sizes, "tabular")
    tensors = model_inputs(inputs)
    x, widths = encoded(tensors, sizes, dropout, augment)
    x = MemberScale(MEMBERS, widths, name="member_scale")(x)
    for _ in range(LAYERS):
        x = layers.Dense(UNITS, activation="relu", kernel_initializer=keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform"))(x)
        x = layers.Dropout(dropout)(x)
    return Ensemble(only_or_all(tensors), MemberHeads(outputs, name="logits")(x), activation=activation, name="tabular")


@keras.saving.register_keras_serializable("tapeline")
class MemberScale(layers.Layer):
    """What makes the members different: each multiplies its inputs by factors of its own, which start random.

    `widths` says how many values belong to each column, for these start with one factor.
    """

    def __init__(self, members: int, widths: list[int], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.members, self.widths = members, list(widths)

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Makes the factors."""
        normal = keras.initializers.RandomNormal(stddev=1.0)

        def by_column(shape: tuple[int, ...], dtype: str | None = None) -> tf.Tensor:
            return tf.repeat(normal((self.members, len(self.widths)), dtype), self.widths, axis=1)

        self.factors = self.add_weight((self.members, shape[-1]), by_column, name="factors")

    def call(self, values: tf.Tensor) -> tf.Tensor:
        """(batch, values) -> (batch, members, values)."""
        return values[:, tf.newaxis] * self.factors

    def get_config(self) -> dict[str, object]:
        """The arguments."""
        return {**super().get_config(), "members": self.members, "widths": self.widths}


@keras.saving.register_keras_serializable("tapeline")
class MemberHeads(layers.Layer):
    """A dense layer for each member."""

    def __init__(self, outputs: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.outputs = outputs

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Makes the weights."""
        _, members, units = shape
        self.kernel = self.add_weight((members, units, self.outputs), uniform(units), name="kernel")
        self.bias = self.add_weight((members, self.outputs), "zeros", name="bias")

    def call(self, values: tf.Tensor) -> tf.Tensor:
        """(batch, members, units) -> (batch, members, outputs)."""
        return tf.transpose(tf.matmul(tf.transpose(values, [1, 0, 2]), self.kernel), [1, 0, 2]) + self.bias

    def get_config(self) -> dict[str, object]:
        """The arguments."""
        return {**super().get_config(), "outputs": self.outputs}
