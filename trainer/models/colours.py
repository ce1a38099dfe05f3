"""What the colours of a picture say by themselves: how much of it, and of its middle, each colour covers.

A network that is trained from a few hundred photos tells shapes badly, and its normalisation takes away what is common to a whole picture,
such as that it is yellow. The shares of colours need no training, and a linear function of them is learnt from few pictures.
"""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import layers

LEVELS = (5, 9, 9)  # of lightness, of red against green, and of yellow against blue, so that there are 405 colours
_HIGHEST = (2.0, 1.5, 1.5)  # of the same, for pixels that are standardised; the lowest is as far below 0
_PARTS = (1.0, 2 / 3, 1 / 3)  # of the height and of the width, round the middle
_LONGEST = 48  # pixels of a side that are looked at, evenly spread: shares need no more
_GAIN = 10.0  # Adam moves every weight alike, and a share's root is small


@keras.saving.register_keras_serializable("tapeline")
class ColourShares(layers.Layer):
    """The square root of each colour's share of the picture, of its middle, and of the middle of that.

    Colours are told apart by lightness and by two opponents: red, green and blue go up and down together with the light, so that most of
    the colours that their levels make are in no photo. A pixel counts for the eight colours round its own by how near they are.
    No gradient goes through. It computes in float32, whatever the model does, for a share is a mean of many small values.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})

    def call(self, pixels: tf.Tensor) -> tf.Tensor:
        """float32 (batch, height, width, 3), standardised -> float32 (batch, 3 * the product of LEVELS)."""
        height, width = pixels.shape[1:3]
        pixels = pixels[:, :: -(-height // _LONGEST), :: -(-width // _LONGEST)]
        axes = zip(_opponents(pixels), LEVELS, _HIGHEST, strict=True)
        near = [_nearness(values, levels, highest) for values, levels, highest in axes]
        parts = [[_middle(axis, part) for axis in near] for part in _PARTS]
        return tf.stop_gradient(_GAIN * tf.concat([tf.sqrt(_shares(part)) for part in parts], axis=1))


def _opponents(pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Of red, green and blue, (batch, height, width, 3): their mean, red against green, yellow against blue; without the last axis."""
    red, green, blue = tf.unstack(pixels, axis=-1)
    return (red + green + blue) / 3, red - green, (red + green) / 2 - blue


def _nearness(values: tf.Tensor, levels: int, highest: float) -> tf.Tensor:
    """(batch, height, width, levels), 0 to 1: 1 at a level, 0 at its neighbours and beyond them."""
    step = 2 * highest / (levels - 1)
    places = step * tf.range(levels, dtype=values.dtype) - highest
    return tf.nn.relu(1 - tf.abs(tf.clip_by_value(values, -highest, highest)[..., tf.newaxis] - places) / step)


def _middle(near: tf.Tensor, part: float) -> tf.Tensor:
    """That part of (batch, height, width, levels), at least a pixel."""
    edges = [min(round(side * (1 - part) / 2), (side - 1) // 2) for side in near.shape[1:3]]
    (top, left), (height, width) = edges, near.shape[1:3]
    return near[:, top : height - top, left : width - left]


def _shares(near: list[tf.Tensor]) -> tf.Tensor:
    """float32 (batch, the product of LEVELS), the mean over the pixels of the products of their nearness to a level of each axis."""
    pixels = near[0].shape[1] * near[0].shape[2]
    light, red_green, yellow_blue = (tf.reshape(axis, [-1, pixels, axis.shape[-1]]) for axis in near)
    both = tf.reshape(light[..., tf.newaxis] * red_green[:, :, tf.newaxis], [-1, pixels, LEVELS[0] * LEVELS[1]])
    return tf.reshape(tf.matmul(both, yellow_blue, transpose_a=True), [-1, LEVELS[0] * LEVELS[1] * LEVELS[2]]) / pixels


@keras.saving.register_keras_serializable("tapeline")
class Together(layers.Layer):
    """Members that each learn by themselves and are asked together: to be the end of a `members.Ensemble`.

    Their logits are added, which multiplies their probabilities: a member that knows nothing of a picture changes nothing.
    """

    def call(self, logits: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        """Of each member's (batch, outputs): (batch, members, outputs) while training, else their sum, (batch, 1, outputs)."""
        return tf.stack(logits, axis=1) if training else tf.add_n(logits)[:, tf.newaxis]
