"""What the colours of a picture say by themselves: how much of it, and of its middle, each colour covers.

A network that is trained from a few hundred photos tells shapes badly, and its normalisation takes away what is common to a whole picture,
such as that it is yellow. The shares of colours need no training, and a linear function of them is learnt from few pictures.
"""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import layers

LEVELS = 6  # of each of the three channels, so that there are 216 colours
_LOWEST, _HIGHEST = -2.0, 2.0  # of pixels that are standardised; those of `normalize: scale` lie between them
_PARTS = (1.0, 2 / 3, 1 / 3)  # of the height and of the width, round the middle
_LONGEST = 48  # pixels of a side that are looked at, evenly spread: shares need no more
_GAIN = 10.0  # Adam moves every weight alike, and a share's root is small


@keras.saving.register_keras_serializable("tapeline")
class ColourShares(layers.Layer):
    """The square root of each colour's share of the picture, of its middle, and of the middle of that.

    A pixel counts for the eight colours round its own by how near they are. No gradient goes through.
    """

    def call(self, pixels: tf.Tensor) -> tf.Tensor:
        """float32 (batch, height, width, 3), standardised -> float32 (batch, 3 * LEVELS ** 3)."""
        height, width = pixels.shape[1:3]
        pixels = pixels[:, :: -(-height // _LONGEST), :: -(-width // _LONGEST)]
        step = (_HIGHEST - _LOWEST) / (LEVELS - 1)
        levels = _LOWEST + step * tf.range(LEVELS, dtype=pixels.dtype)
        near = tf.nn.relu(1 - tf.abs(tf.clip_by_value(pixels, _LOWEST, _HIGHEST)[..., tf.newaxis] - levels) / step)
        return tf.stop_gradient(_GAIN * tf.concat([tf.sqrt(_shares(_middle(near, part))) for part in _PARTS], axis=1))


def _middle(near: tf.Tensor, part: float) -> tf.Tensor:
    """That part of (batch, height, width, 3, LEVELS), at least a pixel."""
    edges = [min(round(side * (1 - part) / 2), (side - 1) // 2) for side in near.shape[1:3]]
    (top, left), (height, width) = edges, near.shape[1:3]
    return near[:, top : height - top, left : width - left]


def _shares(near: tf.Tensor) -> tf.Tensor:
    """float32 (batch, LEVELS ** 3), the mean over the pixels of the products of their nearness to a level of each channel."""
    pixels = near.shape[1] * near.shape[2]
    red, green, blue = tf.unstack(tf.reshape(near, [-1, pixels, 3, LEVELS]), axis=2)
    both = tf.reshape(red[..., tf.newaxis] * green[:, :, tf.newaxis], [-1, pixels, LEVELS**2])
    return tf.reshape(tf.matmul(both, blue, transpose_a=True), [-1, LEVELS**3]) / pixels


@keras.saving.register_keras_serializable("tapeline")
class Together(layers.Layer):
    """Members that each learn by themselves and are asked together: to be the end of a `members.Ensemble`.

    Their logits are added, which multiplies their probabilities: a member that knows nothing of a picture changes nothing.
    """

    def call(self, logits: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        """Of each member's (batch, outputs): (batch, members, outputs) while training, else their sum, (batch, 1, outputs)."""
        return tf.stack(logits, axis=1) if training else tf.add_n(logits)[:, tf.newaxis]
