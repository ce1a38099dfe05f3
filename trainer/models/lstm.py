"""A recurrent network for texts and series: one long short-term memory reads forwards, another backwards; both say what they kept."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from trainer.config import Augmentation
from trainer.models.sequences import of_sequences

WIDTH = 64  # of a token's vector, or of a time's
UNITS = 64  # in each direction


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
    return of_sequences("lstm", _read, WIDTH, inputs, outputs, dropout, sizes, augment)


def _read(vectors: keras.KerasTensor, there: keras.KerasTensor, length: int) -> keras.KerasTensor:
    return layers.Bidirectional(layers.LSTM(UNITS))(vectors, mask=there)
