"""A small residual network, built with the Functional API: the model for pictures in named classes.

picture -> stem, until no side is longer than 24 -> blocks of two convolutions beside a shortcut, each stage half as large and twice as wide
    -> the mean of each channel -> dropout -> logits
a picture with colours also -> how much of it each colour covers -> logits, which are added
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from trainer.config import Augmentation
from trainer.models.augment import augmented
from trainer.models.colours import ColourShares, Together
from trainer.models.members import Activation, Ensemble
from trainer.models.picture import only_picture

WIDTHS = (32, 64, 128)  # channels of the stages
BLOCKS = 2  # of a stage
LONGEST = 24  # pixels of a side in the first stage, which decides what a picture costs: 96 x 96 is made as large as 24 x 24
_GROUPS = 8  # of channels that are normalised together
_COLOURS = 3  # channels


def build(
    inputs: Mapping[str, tf.io.FixedLenFeature],
    outputs: int,
    dropout: float,
    *,
    augment: Sequence[Augmentation] = (),
    activation: Activation = "softmax",
    **_: Any,
) -> keras.Model:
    """Float32 pixels (batch, height, width, channels), of any size -> logits (batch, outputs), with colours (batch, members, outputs).

    A picture is normalised by itself, in groups of channels: what is trained is then what is served, however small the batches are and
    however many replicas share them, which batch normalisation cannot say. From 247 photos it also learnt more.
    """
    pixels = keras.Input(only_picture(inputs, "resnet"))
    seen = augmented(pixels, augment)
    logits = layers.Dense(outputs)(layers.Dropout(dropout)(_network(seen)))
    if pixels.shape[-1] != _COLOURS:
        return keras.Model(pixels, logits, name="resnet")
    moved = augmented(pixels, [name for name in augment if name != "colour"])  # what it knows is colours: they stay as they are
    of_colours = layers.Dense(outputs, kernel_initializer="zeros", name="colours")(ColourShares(name="colour_shares")(moved))
    return Ensemble(pixels, Together(name="logits")([logits, of_colours]), activation=activation, name="resnet")


def features(pixels: keras.KerasTensor, augment: Sequence[Augmentation] = ()) -> keras.KerasTensor:
    """Float32 pixels (batch, height, width, channels) -> what the network sees in them, (batch, WIDTHS[-1])."""
    return _network(augmented(pixels, augment))


def _network(pixels: keras.KerasTensor) -> keras.KerasTensor:
    x = _stem(pixels)
    for stage, width in enumerate(WIDTHS):
        for block in range(BLOCKS):
            x = _block(x, width, 2 if stage and not block else 1)
    return layers.GlobalAveragePooling2D()(x)


def _stem(x: keras.KerasTensor) -> keras.KerasTensor:
    """Halves the sides by a convolution, then by pooling, as often as it takes."""
    large = max(x.shape[1:3]) > LONGEST
    x = layers.ReLU()(_convolution(x, WIDTHS[0], 5 if large else 3, 2 if large else 1))
    while max(x.shape[1:3]) > LONGEST:
        x = layers.MaxPooling2D(3, 2, padding="same")(x)
    return x


def _block(x: keras.KerasTensor, width: int, stride: int) -> keras.KerasTensor:
    y = layers.ReLU()(_convolution(x, width, 3, stride))
    y = _convolution(y, width, 3, 1)
    if stride > 1:
        x = layers.AveragePooling2D(stride, padding="same")(x)
    if x.shape[-1] != width:
        x = _convolution(x, width, 1, 1)
    return layers.ReLU()(layers.Add()([x, y]))


def _convolution(x: keras.KerasTensor, width: int, size: int, stride: int) -> keras.KerasTensor:
    x = layers.Conv2D(width, size, stride, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
    return layers.GroupNormalization(_GROUPS)(x)
