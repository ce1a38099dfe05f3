"""The project's own loop: `tf.GradientTape`, many steps inside one call of a `tf.function`.

for each epoch:
    as many calls as it takes, each of some seconds: for each batch, on each replica: the step's gradients -> optimizer -> metrics
    the same without tape on the eval split, in one call
    the callbacks see the metrics, and may stop it
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from trainer import graph_rewrites, start, without_gradient, xla
from trainer.built_metrics import build_metrics
from trainer.config import TrainerConfig
from trainer.input_pipeline import Batches
from trainer.run import run
from trainer.steps import Step
from trainer.workers import Workers

Inputs = tf.Tensor | dict[str, tf.Tensor]
OnBatch = Callable[[Inputs, tf.Tensor], None]

_MOST_REPLICAS = 4096
_FIRST_CALL = 32  # steps
_CALL_SECONDS = 5.0  # about the most that a call takes: only between calls is a signal noticed, and a state kept


@graph_rewrites.held()
def train(
    model: keras.Model,
    train_batches: Batches,
    eval_batches: Batches,
    strategy: tf.distribute.Strategy,
    config: TrainerConfig,
    callbacks: list[keras.callbacks.Callback],
) -> keras.callbacks.History:
    """See `trainer.run.Train`."""
    workers = Workers(strategy)
    build_metrics(model, strategy, train_batches)
    step = config.step.with_code(config.code)
    step.check(train_batches.dataset.element_spec[0])
    begin, most = train_batches.begin, (config.checkpoints and config.checkpoints.steps) or train_batches.steps
    start.thaw(model, config, begin.last_begun)
    train_some = _over_batches(xla.compiled(_train_step(model, strategy, config, step), config), strategy)
    eval_epoch = _over_batches(xla.compiled(_eval_step(model, strategy), config), strategy)
    train_iterator = iter(workers.distributed(train_batches.dataset))
    eval_dataset = workers.distributed(eval_batches.dataset)
    driver = keras.callbacks.CallbackList(
        callbacks, add_history=True, model=model, epochs=config.epochs, steps=train_batches.steps, verbose=0
    )
    model.stop_training = False
    logs: dict[str, Any] = {}
    at_once = min(_FIRST_CALL, most)  # steps a call
    train_some(train_iterator, tf.constant(0))  # only traces it
    driver.on_train_begin()
    for epoch in range(begin.epoch, config.epochs):
        model.reset_metrics()
        driver.on_epoch_begin(epoch)
        if start.thaw(model, config, epoch):
            train_some = _over_batches(xla.compiled(_train_step(model, strategy, config, step), config), strategy)
        done = begin.step if epoch == begin.epoch else 0
        while done < train_batches.steps and not model.stop_training:
            steps = min(at_once, train_batches.steps - done)
            driver.on_train_batch_begin(done)
            began = time.perf_counter()
            train_some(train_iterator, tf.constant(steps))
            logs = _results(model)
            at_once = workers.of_chief(_next_at_once(at_once, (time.perf_counter() - began) / steps, most))
            done += steps
            driver.on_train_batch_end(done - 1, logs)
            model.stop_training = bool(workers.of_chief(model.stop_training))  # by a clock, it may be
        driver.on_test_begin()
        model.reset_metrics()
        eval_epoch(iter(eval_dataset), tf.constant(eval_batches.steps))
        val_logs = _results(model)
        driver.on_test_end(val_logs)
        logs |= {f"val_{name}": value for name, value in val_logs.items()}
        driver.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    driver.on_train_end(logs)
    return model.history


def _train_step(model: keras.Model, strategy: tf.distribute.Strategy, config: TrainerConfig, step: Step) -> OnBatch:
    def on_batch(x: Inputs, y: tf.Tensor) -> None:
        outcome = step(model, x, y, _seed(model, config.seed))
        variables = without_gradient.left_out(model.trainable_variables, outcome.gradients, config.without_gradient)
        model.optimizer.apply(*variables)
        _update_metrics(model, strategy, x, y, outcome.predictions, outcome.loss)

    return on_batch


def _seed(model: keras.Model, seed: int) -> tf.Tensor:
    """int32 (2,): another one for each step and replica, which an interrupted training finds again.

    Keras's variable counts batches, where `optimizer.iterations` counts updates, of which several batches may make one.
    """
    batch = next(variable for variable in model.optimizer.variables if variable.name == "iteration")
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    return tf.stack([seed, tf.cast(batch, tf.int32) * _MOST_REPLICAS + tf.cast(replica, tf.int32)])


def _eval_step(model: keras.Model, strategy: tf.distribute.Strategy) -> OnBatch:
    def step(x: Inputs, y: tf.Tensor) -> None:
        y_pred = model(x, training=False)
        _update_metrics(model, strategy, x, y, y_pred, model.compute_loss(x, y, y_pred, training=False))

    return step


def _update_metrics(
    model: keras.Model, strategy: tf.distribute.Strategy, x: Inputs, y: tf.Tensor, y_pred: tf.Tensor, loss: tf.Tensor
) -> None:
    """Adds the batch to the model's metrics. Keras has divided the loss by the number of replicas, for their gradients are summed."""
    mean_loss = next(metric for metric in model.metrics if metric.name == "loss")
    mean_loss.update_state(loss * strategy.num_replicas_in_sync, sample_weight=tf.shape(y)[0])
    model.compute_metrics(x, y, y_pred)


def _over_batches(step: OnBatch, strategy: tf.distribute.Strategy) -> Callable[[Iterator, tf.Tensor], None]:
    def one_batch(batches: Iterator) -> None:
        strategy.run(step, args=next(batches))

    one_batch = tf.autograph.experimental.do_not_convert(one_batch)  # only the loop needs AutoGraph, which takes seconds over Keras's code

    @tf.function
    def over_batches(batches: Iterator, steps: tf.Tensor) -> None:
        for _ in tf.range(steps):
            one_batch(batches)

    return over_batches


def _next_at_once(steps: int, step_seconds: float, most: int) -> int:
    """How many steps the next call may have, after one that might have had so many and whose steps took so long each."""
    seconds = steps * step_seconds
    if seconds > _CALL_SECONDS:
        return max(1, steps // 2)
    return min(most, 2 * steps) if seconds < _CALL_SECONDS / 2 else steps


def _results(model: keras.Model) -> dict[str, float]:
    """The model's metrics so far."""
    return {name: float(value) for name, value in model.get_metrics_result().items()}


def run_fn(fn_args: Any) -> None:
    """What TFX's Trainer calls, named as `trainer.gradient_tape.run_fn`."""
    run(fn_args, train)
