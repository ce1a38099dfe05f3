"""The multi-layer perceptron of the Keras beginners' tutorial, built with the Sequential API."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from trainer.config import Augmentation
from trainer.models.augment import augmentation
from trainer.models.picture import only_picture


def build(
    inputs: Mapping[str, tf.io.FixedLenFeature], outputs: int, dropout: float, *, augment: Sequence[Augmentation] = (), **_: Any
) -> keras.Model:
    """One hidden layer of 128 units: float32 pixels (batch, height, width, channels) -> logits (batch, outputs)."""
    return keras.Sequential(
        [
            keras.Input(only_picture(inputs, "mlp")),
            *augmentation(augment),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(dropout),
            layers.Dense(outputs),
        ],
        name="mlp",
    )
