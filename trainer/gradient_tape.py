"""The project's own loop: `tf.GradientTape`, an epoch inside one `tf.function`.

for each epoch:
    for each batch, on each replica: the step's gradients -> optimizer -> metrics
    the same without tape on the eval split
    the callbacks see the metrics, and may stop it
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from trainer import graph_rewrites, without_gradient
from trainer.config import TrainerConfig
from trainer.input_pipeline import Batches
from trainer.run import run
from trainer.steps import Step

Inputs = tf.Tensor | dict[str, tf.Tensor]
OnBatch = Callable[[Inputs, tf.Tensor], None]

_MOST_REPLICAS = 4096


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
    _build_metrics(model, strategy, train_batches)
    step = config.step.with_code(config.code)
    step.check(train_batches.dataset.element_spec[0])
    train_epoch = _over_batches(_train_step(model, strategy, config, step), strategy)
    eval_epoch = _over_batches(_eval_step(model, strategy), strategy)
    train_iterator = iter(strategy.experimental_distribute_dataset(train_batches.dataset))
    eval_dataset = strategy.experimental_distribute_dataset(eval_batches.dataset)
    driver = keras.callbacks.CallbackList(
        callbacks, add_history=True, model=model, epochs=config.epochs, steps=train_batches.steps, verbose=0
    )
    model.stop_training = False
    logs: dict[str, Any] = {}
    driver.on_train_begin()
    for epoch in range(config.epochs):
        driver.on_epoch_begin(epoch)
        driver.on_train_batch_begin(0)
        logs = _measured(model, lambda: train_epoch(train_iterator, tf.constant(train_batches.steps)))
        driver.on_train_batch_end(train_batches.steps - 1, logs)
        driver.on_test_begin()
        val_logs = _measured(model, lambda: eval_epoch(iter(eval_dataset), tf.constant(eval_batches.steps)))
        driver.on_test_end(val_logs)
        logs |= {f"val_{name}": value for name, value in val_logs.items()}
        driver.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    driver.on_train_end(logs)
    return model.history


def _build_metrics(model: keras.Model, strategy: tf.distribute.Strategy, batches: Batches) -> None:
    """Has the metrics make their variables, which Keras leaves to the first batch, but must not happen inside the epoch's `tf.function`."""
    x, y = tf.nest.map_structure(lambda part: tf.zeros([size or 1 for size in part.shape], part.dtype), batches.dataset.element_spec)
    strategy.run(lambda: model.compute_metrics(x, y, model(x, training=False)))


def _train_step(model: keras.Model, strategy: tf.distribute.Strategy, config: TrainerConfig, step: Step) -> OnBatch:
    def on_batch(x: Inputs, y: tf.Tensor) -> None:
        outcome = step(model, x, y, _seed(model, config.seed))
        variables = without_gradient.left_out(model.trainable_variables, outcome.gradients, config.without_gradient)
        model.optimizer.apply(*variables)
        _update_metrics(model, strategy, x, y, outcome.predictions, outcome.loss)

    return on_batch


def _seed(model: keras.Model, seed: int) -> tf.Tensor:
    """int32 (2,): another one for each step and replica, which an interrupted training finds again."""
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    return tf.stack([seed, tf.cast(model.optimizer.iterations, tf.int32) * _MOST_REPLICAS + tf.cast(replica, tf.int32)])


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


def _measured(model: keras.Model, run_epoch: Callable[[], None]) -> dict[str, float]:
    """The model's metrics over what `run_epoch` runs."""
    model.reset_metrics()
    run_epoch()
    return {name: float(value) for name, value in model.get_metrics_result().items()}


def run_fn(fn_args: Any) -> None:
    """What TFX's Trainer calls, named as `trainer.gradient_tape.run_fn`."""
    run(fn_args, train)
