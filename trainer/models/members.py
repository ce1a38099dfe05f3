"""An ensemble whose members share one network: how it is trained, judged and asked.

training: every member has a loss of its own, so that the members stay different; their mean is the model's
judging and predicting: the members' probabilities are averaged
"""

from __future__ import annotations

import math
from typing import Any, Literal

import keras
import tensorflow as tf

Activation = Literal["softmax", "sigmoid", "linear"]


def average(logits: tf.Tensor, activation: Activation) -> tf.Tensor:
    """One prediction of all members', again as logits, so that losses, metrics and the task's head take it like any model's.

    Args:
      logits: float (batch, members, outputs).
      activation: what makes probabilities of them: `softmax` over the outputs, or `sigmoid` for each; `linear` for a regression.

    Returns:
      float (batch, outputs). Their activation is the mean of the members' activations, also where those are too near 0 or 1 for floats.

    Raises:
      ValueError: there is no such activation.
    """
    if activation == "linear":
        return tf.reduce_mean(logits, axis=1)
    if activation == "softmax":
        return _log_mean_exp(tf.nn.log_softmax(logits))
    if activation == "sigmoid":
        yes, no = tf.unstack(_log_mean_exp(tf.math.log_sigmoid(tf.stack([logits, -logits], axis=2))), axis=1)
        return yes - no
    raise ValueError(f"Expected `activation` to be one of ['softmax', 'sigmoid', 'linear']. Received: {activation!r}.")


def _log_mean_exp(logs: tf.Tensor) -> tf.Tensor:
    return tf.reduce_logsumexp(logs, axis=1) - math.log(logs.shape[1])


@keras.saving.register_keras_serializable("tapeline")
class Ensemble(keras.Model):
    """A functional model that gives logits (batch, members, outputs); the labels and the loss are those of a model without members.

    While it trains, the loss is the mean of the members' own losses. On the eval split it is the loss of their average, because that is
    what will be served; so `loss` and `val_loss` are not the same quantity, and early stopping watches the second. Metrics
    see the average always. Both loops get there by `compute_loss` and `compute_metrics`.
    """

    def __init__(self, *args: Any, activation: Activation = "softmax", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.activation = activation

    def compute_loss(
        self,
        x: Any = None,
        y: tf.Tensor | None = None,
        y_pred: tf.Tensor | None = None,
        sample_weight: tf.Tensor | None = None,
        training: bool = True,
    ) -> tf.Tensor:
        """The compiled loss of labels (batch, ...), weights (batch,) if any, and the model's logits; a scalar."""
        if not training:
            return super().compute_loss(x, y, average(y_pred, self.activation), sample_weight, training)
        members = y_pred.shape[1]
        y, sample_weight = (None if part is None else tf.repeat(part, members, axis=0) for part in (y, sample_weight))
        return super().compute_loss(x, y, tf.reshape(y_pred, [-1, y_pred.shape[-1]]), sample_weight, training)

    def compute_metrics(self, x: Any, y: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None) -> dict[str, Any]:
        """Updates the compiled metrics with the average."""
        return super().compute_metrics(x, y, average(y_pred, self.activation), sample_weight)

    def get_config(self) -> dict[str, Any]:
        """The arguments, for a saved model."""
        return {**super().get_config(), "activation": self.activation}
