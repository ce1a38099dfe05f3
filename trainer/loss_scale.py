"""The scale that keeps float16's small gradients from becoming 0: as large as it can be without making others infinite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("tapeline")
class DynamicLossScale(keras.optimizers.LossScaleOptimizer):
    """An optimizer around another one: a step whose gradients overflow halves the scale and is left out, many good ones double it.

    Its own `iteration` counts all batches, those that were left out too; `iterations`, which schedules go by, counts the others.
    """

    LEAST = 2.0**-10  # gradients that overflow even here are no numbers at any scale

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[keras.Variable] | None = None) -> None:
        """One step, which may be left out."""
        super().apply(grads, trainable_variables)
        self._iterations.assign_add(tf.ones((), self._iterations.dtype))

    @property
    def averages(self) -> list[keras.Variable]:
        """Of the trainable variables, where the optimizer inside keeps them."""
        return self.inner_optimizer.averages

    @property
    def batches(self) -> int:
        """How many steps there were that were not left out."""
        return self.inner_optimizer.batches

    def rate_at(self, step: int) -> float:
        """The learning rate in a step, counted from 0."""
        return self.inner_optimizer.rate_at(step)

    def slow_down(self, variables: Iterable[keras.Variable], share: float) -> None:
        """See `trainer.models.fine_tuning.FineTuning`."""
        self.inner_optimizer.slow_down(variables, share)

    def take_mean_norm(self) -> float:
        """See `trainer.models.gradient_norm.MeasuresNorm`."""
        return self.inner_optimizer.take_mean_norm()

    def begin_late(self) -> None:
        """See `trainer.models.fine_tuning.FineTuning`."""
        self.inner_optimizer.begin_late()
