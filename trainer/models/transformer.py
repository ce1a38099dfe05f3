"""A small transformer encoder for texts and series (arXiv:1706.03762): vectors with their places -> attention -> the mean of them."""

import functools
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from trainer.config import Augmentation
from trainer.features import names
from trainer.models.attention import LearnedPositions, encoder_block
from trainer.models.sequences import MaskedMean, of_sequences

WIDTH = 64  # of a token's vector, or of a time's
BLOCKS = 2
HEADS = 4
UNITS = 128  # hidden, in each block
OF_TEXTS, OF_SERIES = 0.02, 0.5  # how far places' vectors begin from 0: beside a series' numbers, which are near 1, small ones are lost
DROPOUT = 0.1  # inside of the blocks


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
    read = functools.partial(_read, stddev=OF_SERIES if names.SERIES in inputs else OF_TEXTS)
    return of_sequences("transformer", read, WIDTH, inputs, outputs, dropout, sizes, augment)


def _read(vectors: keras.KerasTensor, there: keras.KerasTensor, length: int, stddev: float) -> keras.KerasTensor:
    x = LearnedPositions(length, stddev)(vectors)
    for _ in range(BLOCKS):
        x = encoder_block(x, HEADS, UNITS, DROPOUT, there)
    return MaskedMean()(layers.LayerNormalization(epsilon=1e-6)(x), there)
