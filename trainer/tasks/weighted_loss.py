"""A loss of classes in which a row counts as much as its class, so that both loops and every model weigh rows without knowing of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("tapeline")
class WeightedLoss(keras.losses.Loss):
    """Another loss, row by row, times the weight of the row's class; the mean is over the rows, not over the weights."""

    def __init__(self, loss: keras.losses.Loss, weights: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**{"name": loss.name, **kwargs})
        self.loss, self.weights = loss, list(weights)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Numbers of classes (batch,), or one-hot float32 (batch, classes), and logits (batch, classes) -> float32 (batch,)."""
        weights = tf.constant(self.weights, y_pred.dtype)
        if y_true.shape.rank == y_pred.shape.rank:
            own = tf.linalg.matvec(tf.cast(y_true, y_pred.dtype), weights)
        else:
            own = tf.gather(weights, tf.cast(y_true, tf.int32))
        return self.loss.call(y_true, y_pred) * own

    def get_config(self) -> dict[str, Any]:
        """The arguments, for a saved model."""
        return {**super().get_config(), "loss": keras.saving.serialize_keras_object(self.loss), "weights": self.weights}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> WeightedLoss:
        """The loss that `get_config` describes."""
        return cls(**{**config, "loss": keras.saving.deserialize_keras_object(config["loss"])})
