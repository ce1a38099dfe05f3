"""The multi-layer perceptron of the Keras beginners' tutorial, built with the Sequential API."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from trainer.models.picture import only_picture


def build(inputs: Mapping[str, tf.io.FixedLenFeature], outputs: int, dropout: float, **_: Any) -> keras.Model:
    """One hidden layer of 128 units: float32 pixels (batch, height, width, channels) -> logits (batch, outputs)."""
    return keras.Sequential(
        [
            keras.Input(only_picture(inputs, "mlp")),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(dropout),
            layers.Dense(outputs),
        ],
        name="mlp",
    )
