"""A linear model, which is logistic regression for classes: each encoded value times a weight, added up, and nothing hidden.

numbers, ranks, missing, times -> times a weight each; categories, buckets, crosses, one-hot -> the weight at each place
texts -> the weights of their n-grams, over the root of their number -> all of it added up with a bias -> logits
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from trainer.features import names
from trainer.input_pipeline import only_or_all
from trainer.models.encodings import PLACES, check
from trainer.models.ngrams import NgramBag, model_inputs


def build(
    inputs: Mapping[str, tf.io.FixedLenFeature],
    outputs: int,
    dropout: float,
    *,
    sizes: Mapping[str, int] = MappingProxyType({}),
    **_: Any,
) -> keras.Model:
    """The model for any vectors, which pictures are none of: the inputs by name (or the only one) -> logits (batch, outputs).

    `dropout` changes nothing: there are no units. `sizes` says how many places each input of places has.

    Raises:
      ConfigError: an input is no vector, or there is none.
    """
    check(inputs, sizes, "linear", ranks=(1,))
    tensors = model_inputs(inputs)
    return keras.Model(only_or_all(tensors), weighted_sum(tensors, sizes, outputs), name="linear")


def weighted_sum(tensors: Mapping[str, keras.KerasTensor], sizes: Mapping[str, int], outputs: int) -> keras.KerasTensor:
    """Logits (batch, outputs) of inputs (batch, n) by name."""
    left = dict(tensors)
    parts = []
    for name in (name for name in PLACES if name in tensors):
        weights = layers.Embedding(sizes[name], outputs, "zeros", name=f"{name}_weights")(left.pop(name))
        parts.append(keras.ops.sum(weights, axis=1))
    for name, own in names.text_inputs(tensors).items():
        parts.append(NgramBag(sizes[name], outputs, 0.0, "zeros", name=f"{name}_weights")(*(left.pop(each) for each in own)))
    if left:
        vector = layers.Concatenate()(list(left.values())) if len(left) > 1 else next(iter(left.values()))
        parts.append(layers.Dense(outputs, use_bias=False, kernel_initializer="zeros", name="number_weights")(vector))
    return SumWithBias(name="linear")(parts)


@keras.saving.register_keras_serializable("tapeline")
class SumWithBias(layers.Layer):
    """Terms added up, and a learnt bias for each output."""

    def build(self, shapes: list[tuple[int | None, ...]]) -> None:
        """Makes the bias."""
        self.bias = self.add_weight((shapes[0][-1],), "zeros", name="bias")

    def call(self, terms: list[tf.Tensor]) -> tf.Tensor:
        """One or more of (batch, outputs) -> (batch, outputs)."""
        return tf.add_n(terms) + self.bias
