"""The model for texts: what fastText and linear models do with n-grams, and a hidden layer beside it.

n-grams of each text -> a vector -> beside those of the other texts -> a linear function of it, plus one of a hidden layer -> logits
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from trainer.errors import ConfigError
from trainer.features import names
from trainer.models.ngrams import NgramBag, model_inputs

WIDTH = 64  # of a text's vector
UNITS = 128


def build(
    inputs: Mapping[str, tf.io.FixedLenFeature],
    outputs: int,
    dropout: float,
    *,
    sizes: Mapping[str, int] = MappingProxyType({}),
    **_: Any,
) -> keras.Model:
    """The model for one text or several.

    Args:
      inputs: shape and dtype of a row of each input, by name: `tokens`, `tokens_2` and so on, int64 (n,), and the
        `ngram_weights`, float32 (n,), of those that have such.
      outputs: logits.
      dropout: share of the n-grams, and of the units, dropped while training.
      sizes: how many rows the table of each input's n-grams has.

    Returns:
      A model from the inputs by name (or the only one) to float32 logits (batch, outputs).

    Raises:
      ConfigError: an input is no text, or there is none.
    """
    texts = names.text_inputs(inputs)
    if not texts or sum(map(len, texts.values())) < len(inputs):
        raise ConfigError(
            f"Expected nothing but texts as features for `trainer.model: text`. Received: {', '.join(inputs) or 'none'}. "
            "Choose another `trainer.model`."
        )
    tensors = model_inputs(inputs)
    bags = [NgramBag(sizes[name], WIDTH, dropout, name=f"{name}_bag")(*(tensors[each] for each in own)) for name, own in texts.items()]
    x = layers.Dropout(dropout)(layers.Concatenate()(bags) if len(bags) > 1 else bags[0])
    hidden = layers.Dropout(dropout)(layers.Dense(UNITS, activation="relu")(x))
    logits = layers.Add()([layers.Dense(outputs, name="linear")(x), layers.Dense(outputs, name="hidden")(hidden)])
    return keras.Model(tensors if len(tensors) > 1 else next(iter(tensors.values())), logits, name="text")
