"""Wide and deep (arXiv:1606.07792): a linear part that remembers which categories go together, and a network that generalises.

wide: categories, buckets, crosses, one-hot -> the weight at each place, added up
deep: everything as vectors (`encodings`) -> dense layers -> a linear function
both added up -> logits; trained together, by one optimizer
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from trainer.config import Augmentation
from trainer.errors import ConfigError
from trainer.input_pipeline import only_or_all
from trainer.models.encodings import PLACES, check, encoded
from trainer.models.linear import weighted_sum
from trainer.models.ngrams import model_inputs

UNITS = (256, 128, 64)


def build(
    inputs: Mapping[str, tf.io.FixedLenFeature],
    outputs: int,
    dropout: float,
    *,
    sizes: Mapping[str, int] = MappingProxyType({}),
    augment: Sequence[Augmentation] = (),
    **_: Any,
) -> keras.Model:
    """The model for the inputs that `encodings.encoded` takes, categories or the like among them -> logits (batch, outputs).

    Raises:
      ConfigError: there are no categories, buckets or crosses, or an input is neither a vector nor a picture.
    """
    check(inputs, sizes, "wide_deep")
    places = [name for name in PLACES if name in inputs]
    if not places:
        raise ConfigError(
            f"Expected categories, crosses, or numbers with `buckets` for `trainer.model: wide_deep`. Received: {', '.join(inputs)}. "
            "Choose another `trainer.model`."
        )
    tensors = model_inputs(inputs)
    wide = weighted_sum({name: tensors[name] for name in places}, sizes, outputs)
    deep, _widths = encoded(tensors, sizes, dropout, augment)
    for units in UNITS:
        deep = layers.Dropout(dropout)(layers.Dense(units, activation="relu")(deep))
    logits = layers.Add(name="logits")([wide, layers.Dense(outputs, name="deep")(deep)])
    return keras.Model(only_or_all(tensors), logits, name="wide_deep")
