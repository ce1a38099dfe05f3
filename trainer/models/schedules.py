"""The learning rate from the first step to the last, by name: Keras's own schedules over all steps, and a warm-up before."""

from __future__ import annotations

import keras
import tensorflow as tf

from trainer.config import TrainerConfig

_Rate = float | keras.optimizers.schedules.LearningRateSchedule

_DROPS = (0.5, 0.75)  # of the steps, behind which `step` goes on with a tenth
_LAST = 0.01  # of the first rate, where `exponential` ends
_ONE_CYCLE_UP = 0.3  # of the steps, as in fastai
_ONE_CYCLE_START = 1 / 25  # of the highest rate
_ONE_CYCLE_END = 1e-5


def make_schedule(config: TrainerConfig, steps: int) -> _Rate:
    """The learning rate that `config.schedule` and `config.warmup` say; of `plateau` the first one, which a callback lowers.

    Args:
      config: the settings.
      steps: batches that the training has at most; Keras counts these, also where several make one update.
    """
    rate, warmup = config.learning_rate, round(config.warmup * steps)
    if config.schedule == "one_cycle":
        return OneCycle(rate, steps)
    if config.schedule == "cosine":
        falling = keras.optimizers.schedules.CosineDecay
        return falling(0.0, max(steps - warmup, 1), warmup_target=rate, warmup_steps=warmup) if warmup else falling(rate, steps)
    after = _after_warmup(config, max(steps - warmup, 1))
    return WarmUp(after, rate, warmup) if warmup else after


def _after_warmup(config: TrainerConfig, steps: int) -> _Rate:
    rate = config.learning_rate
    if config.schedule == "step":
        places = [max(round(share * steps), 1) for share in _DROPS]
        return keras.optimizers.schedules.PiecewiseConstantDecay(places, [rate / 10**drops for drops in range(len(places) + 1)])
    if config.schedule == "exponential":
        return keras.optimizers.schedules.ExponentialDecay(rate, steps, _LAST)
    return rate


@keras.saving.register_keras_serializable("tapeline")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """From 0 up to `rate` in even parts for so many `steps`, then what `after` says, a schedule or a constant rate."""

    def __init__(self, after: _Rate, rate: float, steps: int) -> None:
        self.after, self.rate, self.steps = after, rate, steps

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """float32 scalar for the number of a step, from 0 on."""
        step = tf.cast(step, tf.float32)
        after = self.after(step - self.steps) if callable(self.after) else tf.constant(self.after, tf.float32)
        return tf.where(step < self.steps, self.rate * step / self.steps, after)

    def get_config(self) -> dict[str, object]:
        """The arguments."""
        return {"after": self.after, "rate": self.rate, "steps": self.steps}


@keras.saving.register_keras_serializable("tapeline")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """Along half a cosine up to `rate` in the first three tenths of the steps, and down to nearly 0 along another (arXiv:1708.07120)."""

    def __init__(self, rate: float, steps: int) -> None:
        self.rate, self.steps = rate, steps

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """float32 scalar for the number of a step, from 0 on."""
        done = tf.minimum(tf.cast(step, tf.float32) / self.steps, 1.0)
        up = _between(_ONE_CYCLE_START, 1.0, done / _ONE_CYCLE_UP)
        down = _between(1.0, _ONE_CYCLE_END, (done - _ONE_CYCLE_UP) / (1 - _ONE_CYCLE_UP))
        return self.rate * tf.where(done < _ONE_CYCLE_UP, up, down)

    def get_config(self) -> dict[str, object]:
        """The arguments."""
        return {"rate": self.rate, "steps": self.steps}


def _between(first: float, last: float, share: tf.Tensor) -> tf.Tensor:
    return last + (first - last) * (1 + tf.cos(tf.constant(3.141592653589793) * share)) / 2
