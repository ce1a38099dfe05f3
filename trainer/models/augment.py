"""Augmentation: what is done to pictures at random while a model trains, so that it never sees one twice as it was.

Its layers do something with `training=True` alone, so that nothing of them is in what is served.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import keras
import tensorflow as tf
from keras import layers

from trainer.config import Augmentation

_ZOOM = (-0.65, 0.2)  # -0.65 shows 0.35 of the height and width
_SHIFT = 0.2  # of the height and of the width
_SMALL_SHIFT = 0.1  # the same, of what stands in the middle of its picture
_TURN = 0.05  # of a full circle
_DTYPE = "float32"  # whatever the model computes in: 16 bits are too few for a place in a picture

_LAYERS: dict[Augmentation, Callable[[], list[layers.Layer]]] = {
    "flip": lambda: [layers.RandomFlip("horizontal", dtype=_DTYPE)],
    "shift": lambda: [layers.RandomTranslation(_SMALL_SHIFT, _SMALL_SHIFT, fill_mode="nearest", dtype=_DTYPE)],
    "crop": lambda: [layers.RandomZoom(_ZOOM, dtype=_DTYPE), layers.RandomTranslation(_SHIFT, _SHIFT, dtype=_DTYPE)],
    "rotate": lambda: [layers.RandomRotation(_TURN, dtype=_DTYPE)],
    "colour": lambda: [RandomColour(dtype=_DTYPE)],
}


def augmentation(names: Iterable[Augmentation]) -> list[layers.Layer]:
    """The layers for float32 pixels (batch, height, width, channels), whose shape they keep, in the order of `names`.

    Each draws from a generator of its own, which Keras's global seed decides at the layer's making.
    """
    return [layer for name in names for layer in _LAYERS[name]()]


def augmented(pixels: keras.KerasTensor, names: Iterable[Augmentation]) -> keras.KerasTensor:
    """What those layers make of `pixels`, for a functional model."""
    for layer in augmentation(names):
        pixels = layer(pixels)
    return pixels


@keras.saving.register_keras_serializable("tapeline")
class RandomColour(layers.Layer):
    """Each picture in another light: its contrast, its brightness, and the share of each channel.

    Keras's own layers want to know the range of the pixels, which standardised ones do not have. Here a picture's mean and standard
    deviation are the measure.
    """

    CONTRAST = 0.2
    BRIGHTNESS = 0.3
    CHANNEL = 0.03  # little: colour is what tells a lemon from a tomato

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._generator = keras.random.SeedGenerator()

    def call(self, pixels: tf.Tensor, training: bool = False) -> tf.Tensor:
        """float32 (batch, height, width, channels), twice."""
        if not training:
            return pixels
        mean = tf.reduce_mean(pixels, axis=[1, 2, 3], keepdims=True)
        deviation = tf.math.reduce_std(pixels, axis=[1, 2, 3], keepdims=True)
        one, each = (tf.shape(pixels)[0], 1, 1, 1), (tf.shape(pixels)[0], 1, 1, pixels.shape[-1])
        contrast = tf.exp(self._normal(one, self.CONTRAST) + self._normal(each, self.CHANNEL))
        brightness = deviation * (self._normal(one, self.BRIGHTNESS) + self._normal(each, self.CHANNEL))
        return (pixels - mean) * contrast + mean + brightness

    def _normal(self, shape: tuple[tf.Tensor | int, ...], deviation: float) -> tf.Tensor:
        return keras.random.normal(shape, stddev=deviation, seed=self._generator)
