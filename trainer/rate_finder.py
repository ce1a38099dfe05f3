"""A learning rate for a model and its data, found in a hundred steps (Smith, arXiv:1506.01186, with fastai's way to choose).

a new model -> the loop, one step a call, at a rate that grows evenly in its logarithm -> the loss of each step, smoothed
    -> stop where it diverges -> the rate in the middle of the longest way down

The loop, the step, the batches and the optimizer are those of the training, so that what is found holds for it.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from trainer.config import CheckpointsConfig
from trainer.errors import TrainingError
from trainer.run import Material, Train, prepare

FIRST, LAST, STEPS = 1e-7, 10.0, 100
_SMOOTHING = 0.98  # fastai's, of which the average is freed of its start
_DIVERGED = 4.0  # times the least loss so far
_LEFT_OUT_LAST = 5  # steps, which are those of the divergence
_FEWEST = 8  # steps in which a way down can be seen


class Sweep(NamedTuple):
    """What was tried, and what came of it; each list has a value for every update of the weights.

    Attributes:
      suggestion: the learning rate in the middle of the longest way down.
      rates: the learning rates, growing.
      losses: each batch's training loss before its update; no finite number in the last place where the loss became none.
      smoothed: their smoothed averages, as the suggestion is taken from.
      diverged: whether the loss grew so much that the rest was left out.
    """

    suggestion: float
    rates: list[float]
    losses: list[float]
    smoothed: list[float]
    diverged: bool


def find(material: Material, train: Train, first: float = FIRST, last: float = LAST, steps: int = STEPS) -> Sweep:
    """Tries so many learning rates, a batch each, or `trainer.accumulate` batches.

    Args:
      material: the data and the settings, of which the learning rate, its schedule and the number of epochs do not count.
      train: the loop.
      first: the smallest rate.
      last: the greatest.
      steps: updates of the weights at most.

    Raises:
      ConfigError, DataError: as `trainer.run.run`. TrainingError: nowhere does the loss fall.
    """
    batches = steps * material.config.accumulate
    settings = {"checkpoints": CheckpointsConfig(minutes=None, steps=1), "schedule": "constant", "warmup": 0.0, "epochs": batches}
    settings["thaw_after"] = None  # a sweep's epochs are none of the training's
    prepared = prepare(material._replace(config=material.config.model_copy(update=settings)))
    model, eval_data = prepared.model, prepared.eval_data
    config = prepared.config.model_copy(update={"epochs": -(-batches // prepared.train_data.steps)})
    rates = GrowingRate(first, last, steps, config.accumulate)
    model.optimizer.learning_rate = rates
    seen = _Losses(config.accumulate, steps)
    one = eval_data._replace(dataset=eval_data.dataset.take(1), steps=1)  # the loop validates, and nobody asks
    train(model, prepared.train_data, one, material.strategy, config, [seen])
    tried = [rates.at(step) for step in range(len(seen.losses))]
    kept = slice(steps // 10, len(tried) - _LEFT_OUT_LAST if seen.diverged else None)
    where = valley(seen.smoothed[kept])
    if where is None:
        raise TrainingError(
            f"Expected a training loss that falls at some learning rate from {first:g} to {last:g}. "
            f"Received: {seen.losses[0]:.4g} at first, and never much less in {len(tried)} steps. "
            "Try others by --first and --last, or a larger `trainer.batch_size`."
        )
    return Sweep(tried[kept][where], tried, seen.losses, seen.smoothed, seen.diverged)


def valley(losses: Sequence[float]) -> int | None:
    """The place in the middle of the longest falling run of losses, single ones between them left out; None where there is none.

    It is fastai's `valley`: the longest decreasing subsequence, cut into thirds, and the middle of the second third.
    """
    lengths = [1] * len(losses)
    for i, loss in enumerate(losses):
        lengths[i] += max((lengths[j] for j in range(i) if loss < losses[j]), default=0)
    longest = max(lengths, default=0)
    if longest < _FEWEST:
        return None
    start = max(lengths.index(longest) - longest, 0)
    third = (lengths.index(longest) - start) / 3
    return start + int(third) + int(third / 2)


@keras.saving.register_keras_serializable("tapeline")
class GrowingRate(keras.optimizers.schedules.LearningRateSchedule):
    """From `first` to `last` in `steps` even parts of the logarithm, each for `batches` batches."""

    def __init__(self, first: float, last: float, steps: int, batches: int) -> None:
        self.first, self.last, self.steps, self.batches = first, last, steps, batches

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """float32 scalar for the number of a batch, from 0 on."""
        share = tf.cast(step // self.batches, tf.float32) / max(self.steps - 1, 1)
        return self.first * tf.exp(share * math.log(self.last / self.first))

    def at(self, update: int) -> float:
        """The same in Python, for the number of an update."""
        return self.first * (self.last / self.first) ** (update / max(self.steps - 1, 1))

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {"first": self.first, "last": self.last, "steps": self.steps, "batches": self.batches}


class _Losses(keras.callbacks.Callback):
    """Keeps each update's loss, and ends the training behind the last one, or where the loss diverges."""

    def __init__(self, batches: int, steps: int) -> None:
        super().__init__()
        self._batches, self._steps = batches, steps
        self._of_update: list[float] = []
        self._average = 0.0
        self.losses: list[float] = []
        self.smoothed: list[float] = []
        self.diverged = False

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """The metrics begin anew, so that the next batch's loss is its own."""
        self._of_update.append(float((logs or {})["loss"]))
        self.model.reset_metrics()
        if len(self._of_update) == self._batches:
            self._add(sum(self._of_update) / self._batches)
            self._of_update = []
            self.model.stop_training = self.diverged or len(self.losses) >= self._steps

    def _add(self, loss: float) -> None:
        self._average = _SMOOTHING * self._average + (1 - _SMOOTHING) * loss
        smoothed = self._average / (1 - _SMOOTHING ** (len(self.losses) + 1))
        self.losses.append(loss)
        self.smoothed.append(smoothed)
        self.diverged = not smoothed <= _DIVERGED * min(self.smoothed)
