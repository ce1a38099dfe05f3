"""A loss that is a function of labels and logits."""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf


class RowLoss(keras.losses.Loss):
    """What a function gives of each row, as a Keras loss."""

    def __init__(self, function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], name: str) -> None:
        super().__init__(name=name)
        self._function = function

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Labels (batch, ...) and logits (batch, outputs) -> float32 (batch,)."""
        return self._function(y_true, y_pred)
