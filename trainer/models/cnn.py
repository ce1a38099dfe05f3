"""A small convolutional network, built with the Functional API."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from trainer.config import Augmentation
from trainer.models.augment import augmented
from trainer.models.picture import only_picture


def build(
    inputs: Mapping[str, tf.io.FixedLenFeature], outputs: int, dropout: float, *, augment: Sequence[Augmentation] = (), **_: Any
) -> keras.Model:
    """Two convolutions, each with pooling, and a hidden layer: pixels (batch, height, width, channels) -> logits (batch, outputs)."""
    pixels = keras.Input(only_picture(inputs, "cnn"))
    x = augmented(pixels, augment)
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2, padding="same")(x)
    x = layers.Conv2D(64, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2, padding="same")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(128, activation="relu")(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(pixels, layers.Dense(outputs)(x), name="cnn")
