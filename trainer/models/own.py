"""A model of the user's own: a function `build(inputs, outputs, **settings)` of a file beside the config -> a model that gives logits.

the function -> its inputs are there? -> its output is as wide as the task wants? -> a softmax or sigmoid at its end is taken off
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from trainer import user_code
from trainer.config import TrainerConfig
from trainer.errors import ConfigError, did_you_mean, listed
from trainer.input_pipeline import only_or_all
from trainer.models.ngrams import model_inputs
from trainer.tasks import Task

_PROBABILITIES = ("softmax", "sigmoid", "log_softmax")
_WITH_ACTIVATION = (layers.Dense, layers.EinsumDense, layers.Activation)
_OPERATIONS = {"Softmax": "softmax", "Sigmoid": "sigmoid", "LogSoftmax": "log_softmax"}  # by the names of Keras's layers and TensorFlow's
_SAME_VALUES = ("Identity", "Cast", "Reshape", "Squeeze", "ExpandDims")
_SUM_TO_ONE = 1e-4  # how near, float32


def build(config: TrainerConfig, task: Task, inputs: Mapping[str, tf.io.FixedLenFeature], sizes: Mapping[str, int]) -> keras.Model:
    """The model that `config.model` refers to; the arguments are those of `trainer.models.build_model`.

    The function gets those of the settings `dropout`, `sizes`, `activation` and `augment` that it takes.

    Raises:
      ConfigError: it is no model, or one that does not fit to the inputs or the task. TrainingError: the code fails.
    """
    function = user_code.load(config.code, config.model)
    where = user_code.place(function, config.model)
    if not callable(function):
        raise ConfigError(f"Expected `trainer.model: {config.model}` to be a function. Received: {type(function).__name__}.")
    settings = {"dropout": config.dropout, "sizes": dict(sizes), "activation": task.ACTIVATION, "augment": config.augment}
    with user_code.told(where):
        model = function(inputs, task.outputs, **_taken(function, settings))
    if not isinstance(model, keras.Model):
        raise ConfigError(f"{where}: Expected a keras.Model. Received: {type(model).__name__}. Return the model itself.")
    _check_inputs(model, inputs, where)
    taken = only_or_all(model_inputs(inputs))
    with user_code.told(where):
        output = model(taken)
    _check_output(output, task, where)
    model = _giving_logits(model, task, where)
    _check_no_probabilities(model, task, inputs, where)
    return model


def _taken(function: Any, settings: dict[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return settings
    return {name: value for name, value in settings.items() if name in parameters}


def _check_inputs(model: keras.Model, inputs: Mapping[str, tf.io.FixedLenFeature], where: str) -> None:
    """That a functional model, which says what it takes, finds that."""
    wanted = [tensor.name for tensor in model.inputs or []] if _is_functional(model) else []
    missing = [name for name in wanted if name not in inputs]
    if len(inputs) == len(wanted) == 1 or not missing:  # one input comes without a name
        return
    raise ConfigError(
        f"{where}: Expected a model of the inputs {listed(inputs)}. Received: one that wants {listed(missing)}, too."
        f"{did_you_mean(missing[0], inputs)} Name each keras.Input as it is called in `inputs`."
    )


def _giving_logits(model: keras.Model, task: Task, where: str) -> keras.Model:
    """The model without the softmax or sigmoid at its end: the loss takes logits, and the served answer has an activation of its own."""
    if not _is_functional(model):
        return model
    last = _last(model)
    name = _activation(last)
    if name not in _PROBABILITIES:
        return model
    if task.ACTIVATION == "linear":
        raise ConfigError(
            f"{where}: Expected numbers without bounds for `task: {task.kind}`. Received: a model that ends in {name}. Leave it out."
        )
    logging.getLogger(__name__).warning("%s: the %s at the end of the model is left out, for the loss takes logits.", where, name)
    if isinstance(last, _WITH_ACTIVATION):
        last.activation = keras.activations.linear
        return model
    if last is not _outermost(model):  # inside of a nested model, all of which would be taken off with it
        raise ConfigError(f"{where}: Expected a model of logits. Received: one that ends in {name}. Leave it out.")
    if isinstance(model, keras.Sequential):
        model.pop()
        return model
    return keras.Model(model.input, last.input, name=model.name)


def _is_functional(model: keras.Model) -> bool:
    """Whether its layers and their order are known; those of a Sequential are, once it has an input."""
    return model.built if isinstance(model, keras.Sequential) else hasattr(model, "operations")


def _outermost(model: keras.Model) -> Any:
    """What gives the output, a model where it is one that is nested."""
    return model.layers[-1] if isinstance(model, keras.Sequential) else model.outputs[0]._keras_history.operation


def _last(model: keras.Model) -> Any:
    """What gives the output, inside of nested models as well."""
    operation = _outermost(model)
    is_nested = isinstance(operation, keras.Model) and _is_functional(operation) and len(operation.outputs) == 1
    return _last(operation) if is_nested else operation


def _activation(operation: Any) -> str:
    """Its name, of a layer that has one or is one, and of a function of `keras.ops`."""
    if isinstance(operation, _WITH_ACTIVATION):
        return getattr(operation.activation, "__name__", "")
    return _OPERATIONS.get(type(operation).__name__, "")


def _check_output(output: Any, task: Task, where: str) -> None:
    if isinstance(output, keras.KerasTensor) and len(output.shape) == 2 and output.shape[-1] == task.outputs:
        return
    received = output.shape if isinstance(output, keras.KerasTensor) else type(output).__name__
    raise ConfigError(
        f"{where}: Expected logits of the shape (batch, {task.outputs}), as `outputs` says for `task: {task.kind}`. Received: {received}. "
        "Let the last layer be keras.layers.Dense(outputs)."
    )


def _check_no_probabilities(model: keras.Model, task: Task, inputs: Mapping[str, tf.io.FixedLenFeature], where: str) -> None:
    """That the model gives no probabilities: by its last operation, or by a layer that is not known as such."""
    with user_code.told(where):
        name = _ending(model, inputs)
    if name in ("softmax", "sigmoid") or (name == "log_softmax" and task.ACTIVATION != "softmax"):  # a softmax changes no logarithms of one
        expected = f"numbers without bounds for `task: {task.kind}`" if task.ACTIVATION == "linear" else "logits"
        raise ConfigError(f"{where}: Expected {expected}. Received: a model that ends in {name}. Leave it out.")
    if task.outputs < 2:
        return
    rows = {name: tf.zeros((2, *feature.shape), feature.dtype) for name, feature in inputs.items()}
    with user_code.told(where):
        given = model(only_or_all(rows), training=False)
    if tf.reduce_all(given >= 0) and tf.reduce_all(tf.abs(tf.reduce_sum(given, -1) - 1) < _SUM_TO_ONE):  # those of rows of zeros
        raise ConfigError(
            f"{where}: Expected logits. Received: probabilities, which sum to 1 in each row. Leave out the softmax at the end."
        )


def _ending(model: keras.Model, inputs: Mapping[str, tf.io.FixedLenFeature]) -> str:
    """The function of TensorFlow that the output is, if it is a softmax or sigmoid, of a model whose layers nobody knows too; else ''."""
    specs = {name: tf.TensorSpec((None, *feature.shape), feature.dtype) for name, feature in inputs.items()}
    traced = tf.function(lambda rows: model(only_or_all(rows), training=False), autograph=False).get_concrete_function(specs)
    operation = traced.outputs[0].op
    while operation.type in _SAME_VALUES:
        operation = operation.inputs[0].op
    return _OPERATIONS.get(operation.type, "")
