"""A small convolutional network, built with the Functional API."""

import keras
from keras import layers


def build(image_shape: tuple[int, int, int], classes: int, dropout: float) -> keras.Model:
    """Two convolutions, each with pooling, and a hidden layer: float32 pixels (batch, *image_shape) -> logits (batch, classes)."""
    pixels = keras.Input(image_shape)
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(pixels)
    x = layers.MaxPooling2D(2, padding="same")(x)
    x = layers.Conv2D(64, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2, padding="same")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(128, activation="relu")(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(pixels, layers.Dense(classes)(x), name="cnn")
