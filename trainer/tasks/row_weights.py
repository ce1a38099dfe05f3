"""Weights of single rows, which travel behind the labels, so that loops, steps and models need not know of them.

labels (batch,) or (batch, k), and weights -> y float32 (batch, k + 1) -> the compiled loss takes both apart, and weighs each row's loss
                                                                      -> compiled metrics see the labels alone

Whatever takes rows of y, cuts y among replicas or repeats it for an ensemble's members so keeps a row's weight beside its label.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


def packed(targets: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """float32 (batch, k + 1) of what a loss is given of labels, (batch,) or (batch, k), and weights (batch,).

    A float32 has all numbers of classes that there may be.
    """
    columns = targets if targets.shape.rank == 2 else targets[:, tf.newaxis]
    return tf.concat([tf.cast(columns, tf.float32), tf.cast(weights, tf.float32)[:, tf.newaxis]], axis=1)


def targets_in(loss: Any, y: tf.Tensor) -> tf.Tensor:
    """What the compiled `loss` is given of the labels alone, as `task.targets` gives it."""
    return _targets(y, loss.rank, loss.targets) if isinstance(loss, RowWeightedLoss) else y


def _targets(y: tf.Tensor, rank: int, dtype: str | None = None) -> tf.Tensor:
    columns = y[:, 0] if rank == 1 else y[:, :-1]
    return tf.cast(columns, dtype) if dtype else columns


@keras.saving.register_keras_serializable("tapeline")
class RowWeightedLoss(keras.losses.Loss):
    """Another loss, row by row, times the row's weight; the mean is over the rows, not over the weights, as Keras has it."""

    def __init__(self, loss: keras.losses.Loss, rank: int, targets: str, **kwargs: Any) -> None:
        """`rank` and `targets`, a dtype's name, are those of the labels before they were packed."""
        super().__init__(**{"name": loss.name, **kwargs})
        self.loss, self.rank, self.targets = loss, rank, targets

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """What `packed` gives, float (batch, k + 1), and logits (batch, outputs) -> float32 (batch,)."""
        losses = self.loss.call(_targets(y_true, self.rank), y_pred)  # of floats, as Keras makes all labels for a loss
        return losses * tf.cast(y_true[:, -1], losses.dtype)

    def weights_in(self, y: tf.Tensor) -> tf.Tensor:
        """float32 (batch,), of what `packed` gives: for a step that adds something of each row to the loss."""
        return y[:, -1]

    def get_config(self) -> dict[str, Any]:
        """The arguments, for a saved model."""
        own = {"loss": keras.saving.serialize_keras_object(self.loss), "rank": self.rank, "targets": self.targets}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> RowWeightedLoss:
        """The loss that `get_config` describes."""
        return cls(**{**config, "loss": keras.saving.deserialize_keras_object(config["loss"])})


@keras.saving.register_keras_serializable("tapeline")
class OfAllRows(keras.metrics.Metric):
    """Another metric, which is given the labels without the weights: all rows count alike."""

    def __init__(self, metric: keras.metrics.Metric, rank: int, targets: str, **kwargs: Any) -> None:
        """`rank` and `targets` as of `RowWeightedLoss`."""
        super().__init__(**{"name": metric.name, **kwargs})
        self.metric, self.rank, self.targets = metric, rank, targets

    def update_state(self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None) -> None:
        """Adds a batch."""
        self.metric.update_state(_targets(y_true, self.rank, self.targets), y_pred, sample_weight)

    def result(self) -> Any:
        """What the metric gives."""
        return self.metric.result()

    def reset_state(self) -> None:
        """Forgets all batches."""
        self.metric.reset_state()

    def get_config(self) -> dict[str, Any]:
        """The arguments, for a saved model."""
        own = {"metric": keras.saving.serialize_keras_object(self.metric), "rank": self.rank, "targets": self.targets}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> OfAllRows:
        """The metric that `get_config` describes."""
        return cls(**{**config, "metric": keras.saving.deserialize_keras_object(config["metric"])})


def compiled(loss: keras.losses.Loss, metrics: list[str | keras.metrics.Metric], targets: tf.TensorSpec) -> tuple[Any, list[Any]]:
    """Loss and metrics of a task as a model is compiled with them whose rows have weights.

    Args:
      loss: the task's.
      metrics: the same; `accuracy` by its name, which Keras would take for another one by the shape of what is packed.
      targets: what `task.targets` gives, (batch,) or (batch, k).
    """
    rank, dtype = targets.shape.rank, targets.dtype.name
    accuracy = keras.metrics.SparseCategoricalAccuracy if rank == 1 else keras.metrics.CategoricalAccuracy
    known = [accuracy(name=metric) if metric == "accuracy" else metric for metric in metrics]
    return RowWeightedLoss(loss, rank, dtype), [OfAllRows(metric, rank, dtype) for metric in known]
