"""The multi-layer perceptron of the Keras beginners' tutorial, built with the Sequential API."""

import keras
from keras import layers


def build(image_shape: tuple[int, int, int], classes: int, dropout: float) -> keras.Model:
    """One hidden layer of 128 units: float32 pixels (batch, *image_shape) -> logits (batch, classes)."""
    return keras.Sequential(
        [
            keras.Input(image_shape),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(dropout),
            layers.Dense(classes),
        ],
        name="mlp",
    )
