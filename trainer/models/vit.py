"""A small vision transformer (arXiv:2010.11929): a picture as a sequence of patches, which look at each other.

picture -> patches, about 8 x 8 of them -> a vector each, with its place -> blocks of attention -> the mean -> dropout -> logits
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from trainer.config import Augmentation
from trainer.models.attention import LearnedPositions, encoder_block
from trainer.models.augment import augmented
from trainer.models.picture import only_picture

WIDTH = 64  # of a patch's vector
BLOCKS = 4
HEADS = 4
UNITS = 128  # hidden, in each block
DROPOUT = 0.1  # inside of the blocks
_PATCHES = 8  # along the longer side, at most


def build(
    inputs: Mapping[str, tf.io.FixedLenFeature], outputs: int, dropout: float, *, augment: Sequence[Augmentation] = (), **_: Any
) -> keras.Model:
    """Float32 pixels (batch, height, width, channels) of any size -> logits (batch, outputs).

    The mean of the patches takes the place of the paper's class token.
    """
    shape = only_picture(inputs, "vit")
    pixels = keras.Input(shape)
    patch = patch_size(shape[0], shape[1])
    x = layers.Conv2D(WIDTH, patch, patch, padding="same", name="patches")(augmented(pixels, augment))
    x = layers.Reshape((-1, WIDTH))(x)
    x = LearnedPositions(x.shape[1], name="positions")(x)
    for _ in range(BLOCKS):
        x = encoder_block(x, HEADS, UNITS, DROPOUT)
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization(epsilon=1e-6)(x))
    return keras.Model(pixels, layers.Dense(outputs, name="logits")(layers.Dropout(dropout)(x)), name="vit")


def patch_size(height: int, width: int) -> int:
    """Pixels of a patch's side: 4 for 28 x 28, 12 for 96 x 96."""
    return -(-max(height, width) // _PATCHES)
