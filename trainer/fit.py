"""The loop that Keras brings: `model.fit`.

where the training begins within an epoch: the rest of that epoch -> all other epochs
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from trainer import graph_rewrites, start, without_gradient
from trainer.built_metrics import build_metrics
from trainer.config import TrainerConfig
from trainer.input_pipeline import Batches
from trainer.reference import is_reference
from trainer.run import run
from trainer.steps import Standard

_MOST_AT_ONCE = 250  # steps, where nothing else is asked for: only between calls is a signal noticed, and a state kept


@graph_rewrites.held()
def train(
    model: keras.Model,
    train_batches: Batches,
    eval_batches: Batches,
    strategy: tf.distribute.Strategy,
    config: TrainerConfig,
    callbacks: list[keras.callbacks.Callback],
) -> keras.callbacks.History:
    """See `trainer.run.Train`. The model knows its strategy: it was built under the scope."""
    if strategy.num_replicas_in_sync == 1:  # several replicas: Keras 3.15 fails at more than one step ("must feed a value for placeholder")
        model.steps_per_execution = _steps_at_once(train_batches, config)
    start.thaw(model, config, train_batches.begin.last_begun)
    _check_gradients(model, train_batches, strategy, config)
    if train_batches.begin.step:
        build_metrics(model, strategy, train_batches)
    thaw = _Thaw(config, lambda: _check_gradients(model, train_batches, strategy, config))
    driver = _Driver([*callbacks, thaw], add_history=True, model=model, epochs=config.epochs, steps=train_batches.steps, verbose=0)
    model.stop_training = False
    driver.begin()
    for dataset, first, end, steps in _parts(train_batches, config.epochs):
        if model.stop_training:
            break
        model.fit(
            dataset,
            initial_epoch=first,
            epochs=end,
            steps_per_epoch=steps,
            validation_data=eval_batches.dataset,
            callbacks=driver,
            shuffle=False,
            verbose=0,
        )
    driver.end()
    return model.history


def _steps_at_once(batches: Batches, config: TrainerConfig) -> int:
    """How many steps a call into TensorFlow has: a divisor of an epoch's, for Keras knows no smaller last call."""
    whole = math.gcd(batches.steps, batches.begin.step)
    asked = config.checkpoints.steps if config.checkpoints else None
    best = max(steps for steps in range(1, min(whole, asked or _MOST_AT_ONCE) + 1) if whole % steps == 0)
    return best if asked or best > _MOST_AT_ONCE // 10 else whole  # calls of few steps take longer


def _parts(batches: Batches, epochs: int) -> Iterator[tuple[tf.data.Dataset, int, int, int]]:
    """(batches, first epoch, end, steps an epoch) of each call of `model.fit`; none where nothing is left."""
    epoch, step = batches.begin
    if step:
        yield batches.dataset, epoch, epoch + 1, batches.steps - step
        epoch += 1
    if epoch < epochs:
        yield batches.later_epochs or batches.dataset, epoch, epochs, batches.steps


class _Thaw(keras.callbacks.Callback):
    """Has the layers of `trainer.freeze` trained from their epoch on, within one call of `model.fit`: a second one orders the rows anew."""

    def __init__(self, config: TrainerConfig, check: Callable[[], None]) -> None:
        """`check` is called when they are."""
        super().__init__()
        self._config, self._check = config, check

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keras takes the new training step from the next call on."""
        if start.thaw(self.model, self._config, epoch):
            self._check()
            self.model.make_train_function(force=True)


class _Driver(keras.callbacks.CallbackList):
    """Begins and ends with the training, and not with each call of `model.fit`."""

    _logs: dict[str, Any] | None = None

    def begin(self) -> None:
        """Before the first call."""
        super().on_train_begin()

    def end(self) -> None:
        """After the last one."""
        super().on_train_end(self._logs)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """A call begins."""

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """A call has ended."""
        self._logs = logs


def _check_gradients(model: keras.Model, batches: Batches, strategy: tf.distribute.Strategy, config: TrainerConfig) -> None:
    """Raises TrainingError where a variable of the user's own model would get no gradient, which Keras only warns of.

    A step is traced, and not run.
    """
    if not is_reference(config.model):
        return

    def step(*batch: Any) -> None:
        outcome = Standard()(model, *batch, tf.zeros(2, tf.int32))
        without_gradient.left_out(model.trainable_variables, outcome.gradients, config.without_gradient)

    tf.function(lambda *batch: strategy.run(step, batch), autograph=False).get_concrete_function(*batches.dataset.element_spec)


def run_fn(fn_args: Any) -> None:
    """What TFX's Trainer calls, named as `trainer.fit.run_fn`."""
    run(fn_args, train)
