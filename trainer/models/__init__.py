"""The models, one architecture a file: `build_model` picks the one that `config.model` names and compiles it, once for both loops."""

import importlib
from collections.abc import Mapping

import keras
import tensorflow as tf
from keras.src.utils import naming

from trainer.config import BACKBONE, TrainerConfig
from trainer.features import names
from trainer.models import own, precision
from trainer.models.optimizers import make_optimizer
from trainer.reference import is_reference
from trainer.start import freeze
from trainer.tasks import Task, row_weights

_SAME = {"embedding_bag": "text"}  # what the field calls the model of a file that has another name
NO_SIZES: Mapping[str, int] = {}


def build_model(
    config: TrainerConfig,
    task: Task,
    inputs: Mapping[str, tf.io.FixedLenFeature],
    sizes: Mapping[str, int] = NO_SIZES,
    steps: int = 1,
    weighted: tf.TensorSpec | None = None,
) -> keras.Model:
    """The compiled model of `trainer/models/<config.model>.py`, or of the user's own function; call it under the strategy's scope.

    Args:
      config: model, dropout, augmentation, precision, seed, optimizer.
      task: what the model gives, its loss and metrics.
      inputs: shape and dtype of a row of what it takes, by name.
      sizes: of those that are places in a table, how many rows the table has.
      steps: how many the training has, all epochs together.
      weighted: where rows have weights behind their labels, what the labels alone are, as `task.targets` gives them.

    Returns:
      A model from the input (batch, ...), or from several by name, to logits float32 (batch, task.outputs). Equal arguments give equal
      initial weights and equal sequences of dropout masks and augmentations.
    """
    precision.check(config)
    model = make_model(config, task, inputs, sizes)
    ever_trained = model.trainable_variables
    freeze(model, config.frozen)
    loss, metrics = task.loss(config), task.metrics(config)
    if weighted is not None:
        loss, metrics = row_weights.compiled(loss, metrics, weighted)
    model.compile(optimizer=make_optimizer(config, steps), loss=loss, metrics=metrics, jit_compile=config.jit_compile)
    model.optimizer.build(ever_trained if config.thaw_after else model.trainable_variables)
    return model


def make_model(
    config: TrainerConfig, task: Task, inputs: Mapping[str, tf.io.FixedLenFeature], sizes: Mapping[str, int] = NO_SIZES
) -> keras.Model:
    """The same, not compiled."""
    keras.utils.set_random_seed(config.seed)
    naming.reset_uids()  # `dense` is `dense` in every model of a process, for Keras has no public name for it
    with precision.policy(config.precision):
        model = _made(config, task, inputs, sizes)
    return precision.giving_float32(model)


def _made(config: TrainerConfig, task: Task, inputs: Mapping[str, tf.io.FixedLenFeature], sizes: Mapping[str, int]) -> keras.Model:
    if is_reference(config.model):
        return own.build(config, task, inputs, sizes)
    build = importlib.import_module(f"trainer.models.{model_name(config, task, inputs)}").build
    return build(
        inputs, task.outputs, config.dropout, sizes=sizes, activation=task.ACTIVATION, augment=config.augment, backbone=config.backbone
    )


def model_name(config: TrainerConfig, task: Task, inputs: Mapping[str, tf.io.FixedLenFeature]) -> str:
    """The file of the model that `config.model` names, or that suits the inputs."""
    if config.model != "auto":
        return _SAME.get(config.model, config.model)
    if config.backbone:
        return BACKBONE
    if names.SERIES in inputs:
        return "lstm"
    if list(inputs) != [names.PIXELS]:
        return "text" if sum(map(len, names.text_inputs(inputs).values())) == len(inputs) else "tabular"
    return "resnet" if task.names else "mlp"  # the perceptron is for the small digits of numbered classes
