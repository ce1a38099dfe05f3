"""A recurrent network for texts: a long short-term memory reads each text forwards, another one backwards, and both say what they kept."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from trainer.models.sequences import of_sequences

WIDTH = 64  # of a token's vector
UNITS = 64  # in each direction


def build(
    inputs: Mapping[str, tf.io.FixedLenFeature],
    outputs: int,
    dropout: float,
    *,
    sizes: Mapping[str, int] = MappingProxyType({}),
    **_: Any,
) -> keras.Model:
    """Texts as sequences -> logits (batch, outputs); arguments and errors are those of `sequences.of_sequences`."""
    return of_sequences("lstm", _read, WIDTH, inputs, outputs, dropout, sizes)


def _read(vectors: keras.KerasTensor, there: keras.KerasTensor, length: int) -> keras.KerasTensor:
    return layers.Bidirectional(layers.LSTM(UNITS))(vectors, mask=there)
