"""A convolutional network for texts and series (arXiv:1408.5882): it finds telling runs of three, four and five, wherever they are."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from trainer.config import Augmentation
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
    augment: Sequence[Augmentation] = (),
    **_: Any,
) -> keras.Model:
    """Texts as sequences, or series -> logits (batch, outputs); arguments and errors are those of `sequences.of_sequences`."""
    return of_sequences("conv", _read, WIDTH, inputs, outputs, dropout, sizes, augment)


def _read(vectors: keras.KerasTensor, there: keras.KerasTensor, length: int) -> keras.KerasTensor:
    found = [layers.Conv1D(FILTERS, each, padding="same", activation="relu")(vectors) for each in LENGTHS]
    return layers.Concatenate()([MaskedMaximum()(each, there) for each in found])
