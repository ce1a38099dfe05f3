"""A training whose loss or weights are no numbers any more ends: nothing that came after would be worth keeping or exporting."""

import math
import time
from typing import Any

import keras
import tensorflow as tf

from trainer import watched
from trainer.config import TrainerConfig
from trainer.errors import TrainingError
from trainer.loss_scale import DynamicLossScale

_SECONDS = 1.0  # between two looks at the loss, for which a GPU is waited for; the step is known all the same


class StopAtNotFinite(keras.callbacks.Callback):
    """Looks at the loss after a call of many steps, about once a second, and at all weights after an epoch and before a checkpoint.

    It is the first of the callbacks, so that no other one keeps what it refuses. The optimizer counts the steps whose gradients were
    finite, by which the first that was not is known. With `mixed_float16` it leaves out a step whose gradients overflow: that is no end,
    unless they do at any scale.
    """

    def __init__(self, config: TrainerConfig, checkpoint: str | None = None) -> None:
        """`checkpoint` is where the training's state lies, if it is kept."""
        super().__init__()
        self._config, self._checkpoint = config, checkpoint
        self._looked = 0.0
        self._weights_are_finite: Any = None

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at the mean loss, which is no number from the first step on whose loss is none."""
        if time.monotonic() - self._looked >= _SECONDS:
            self._check("loss", logs)
            self._check_scale()
            self._looked = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at the loss of the train split, the weights, the loss of the eval split, and what else decides which weights are best."""
        self._check("loss", logs)
        self.check_weights()
        self._check("val_loss", logs)
        for key, name in watched.watched(self._config).items():
            self._check_watched(key, f"val_{name}", logs)

    def check_weights(self) -> None:
        """Raises TrainingError where a weight is no finite number, as a gradient that was none leaves it behind a finite loss."""
        self._check_scale()
        if self._weights_are_finite is None:
            variables = [*self.model.variables, *self.model.optimizer.variables]
            weights = [weight for weight in variables if tf.as_dtype(weight.dtype).is_floating]
            self._weights_are_finite = tf.function(
                lambda: tf.reduce_all([tf.reduce_all(tf.math.is_finite(weight)) for weight in weights]), autograph=False
            )
        if not self._weights_are_finite():
            raise self._error("finite weights and moments", "some that are not")

    def _check_scale(self) -> None:
        optimizer = self.model.optimizer
        if isinstance(optimizer, DynamicLossScale) and float(optimizer.dynamic_scale.numpy()) < optimizer.LEAST:
            raise self._error("finite gradients at some scale of the loss", "some that are not, however small it was")

    def _check(self, name: str, logs: dict[str, Any] | None) -> None:
        value = float((logs or {}).get(name, 0.0))
        if not math.isfinite(value):
            raise self._error(f"a finite `{name}`", str(value))

    def _check_watched(self, key: str, name: str, logs: dict[str, Any] | None) -> None:
        """No learning rate mends a metric that is no number behind a finite loss, and no later one would be better than it to Keras."""
        value = float((logs or {}).get(name, 0.0))
        if not math.isfinite(value):
            raise TrainingError(
                f"Expected a finite `{name}`, which `{key}` names. Received: {value}, though the loss is finite. "
                f"Mend the metric, as where it divides by 0, or name another one in `{key}`."
            )

    def _error(self, expected: str, received: str) -> TrainingError:
        kept = self._checkpoint and tf.io.gfile.exists(self._checkpoint)
        return TrainingError(
            f"Expected {expected}. Received: {received}, {self._where()}. Try a smaller `trainer.learning_rate` than "
            f"{self._config.learning_rate:g}, or `trainer.clip_norm: 1`"
            + (", or `trainer.precision: mixed_bfloat16`." if isinstance(self.model.optimizer, DynamicLossScale) else ".")
            + (f" The last checkpoint before it is {self._checkpoint}." if kept else "")
        )

    def _where(self) -> str:
        optimizer, steps = self.model.optimizer, self.params["steps"]
        if isinstance(optimizer, DynamicLossScale):  # a step that is left out looks like one without numbers
            before = max(0, optimizer.batches - 1)
            return f"after {before + 1:,} steps that moved the weights, at a learning rate of {optimizer.rate_at(before):g}"
        before = min(int(optimizer.finite_steps.numpy()), optimizer.batches - 1)  # the last made the weights so
        epoch, step = divmod(before, steps)
        return (
            f"in step {before + 1:,}, which is step {step + 1:,} of {steps:,} in epoch {epoch + 1} of {self._config.epochs}, "
            f"at a learning rate of {optimizer.rate_at(before):g}"
        )
