"""The loop that Keras brings: `model.fit`."""

from typing import Any

import keras
import tensorflow as tf

from trainer import graph_rewrites, without_gradient
from trainer.config import TrainerConfig
from trainer.input_pipeline import Batches
from trainer.reference import is_reference
from trainer.run import run
from trainer.steps import Standard


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
        model.steps_per_execution = train_batches.steps  # an epoch is one call into TensorFlow, with the results of single steps
    if is_reference(config.model):
        _check_gradients(model, train_batches, strategy, config)
    return model.fit(
        train_batches.dataset,
        epochs=config.epochs,
        steps_per_epoch=train_batches.steps,
        validation_data=eval_batches.dataset,
        callbacks=callbacks,
        shuffle=False,
        verbose=0,
    )


def _check_gradients(model: keras.Model, batches: Batches, strategy: tf.distribute.Strategy, config: TrainerConfig) -> None:
    """Raises TrainingError where a variable would get no gradient, which Keras only warns of: a step is traced, and not run."""

    def step(*batch: Any) -> None:
        outcome = Standard()(model, *batch, tf.zeros(2, tf.int32))
        without_gradient.left_out(model.trainable_variables, outcome.gradients, config.without_gradient)

    tf.function(lambda *batch: strategy.run(step, batch), autograph=False).get_concrete_function(*batches.dataset.element_spec)


def run_fn(fn_args: Any) -> None:
    """What TFX's Trainer calls, named as `trainer.fit.run_fn`."""
    run(fn_args, train)
