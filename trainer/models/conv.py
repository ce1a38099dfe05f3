"""A convolutional network for texts (arXiv:1408.5882): it finds telling runs of three, four and five tokens wherever they stand."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from trainer.models.sequences import MaskedMaximum, of_sequences

WIDTH = 128  # of a token's vector
LENGTHS = (3, 4, 5)  # tokens that a filter sees at once
FILTERS = 100  # of each length


def build(
    inputs: Mapping[str, tf.io.FixedLenFeature],
    outputs: int,
    dropout: float,
    *,
    sizes: Mapping[str, int] = MappingProxyType({}),
    **_: Any,
) -> keras.Model:
    """Texts as sequences -> logits (batch, outputs); arguments and errors are those of `sequences.of_sequences`."""
    return of_sequences("conv", _read, WIDTH, inputs, outputs, dropout, sizes)


def _read(vectors: keras.KerasTensor, there: keras.KerasTensor, length: int) -> keras.KerasTensor:
    found = [layers.Conv1D(FILTERS, each, padding="same", activation="relu")(vectors) for each in LENGTHS]
    return layers.Concatenate()([MaskedMaximum()(each, there) for each in found])
