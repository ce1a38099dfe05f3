"""The common norm of a model's gradients, as clipping finds them: what `trainer.clip_norm` is chosen by."""

from collections.abc import Sequence

import tensorflow as tf


class MeasuresNorm:
    """A part of an optimizer, which both loops share; it adds nothing to a step where `measure_norm` was not called.

    Where gradients are accumulated an update's are measured, and of several replicas the sum of theirs. What it counts is no variable of
    the optimizer: a checkpoint is the same with it and without.
    """

    _norms: tf.Variable | None = None  # float32 (2,): their sum, and how many

    def measure_norm(self) -> None:
        """Measures each update's; under the strategy's scope, before the first step is traced."""
        self._norms = tf.Variable(tf.zeros(2), trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)

    def take_mean_norm(self) -> float:
        """The mean of the updates since it was last asked for; NaN of none."""
        total, updates = self._norms.numpy()
        self._norms.assign(tf.zeros(2))
        return float(total / updates) if updates else float("nan")

    def _clip_gradients(self, grads: Sequence[tf.Tensor | tf.IndexedSlices]) -> list[tf.Tensor | tf.IndexedSlices]:
        if self._norms is not None:
            whole = [tf.convert_to_tensor(grad) for grad in grads]  # a row that comes twice counts with its sum
            if tf.distribute.get_strategy().num_replicas_in_sync > 1:
                whole = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, whole)
            self._norms.assign_add(tf.stack([tf.linalg.global_norm(whole), 1.0]))
        return super()._clip_gradients(grads)
