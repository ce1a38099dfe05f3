"""Training steps compiled by XLA, for `trainer.jit_compile`."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import tensorflow as tf

from trainer.cause import one_line
from trainer.config import TrainerConfig
from trainer.errors import ConfigError, listed
from trainer.features import names

_SAID_BY_XLA = ("unsupported operations when trying to compile", "tf2xla conversion failed", "not compilable")


def check(config: TrainerConfig, replicas: int, inputs: Iterable[str]) -> None:
    """Raises ConfigError where a compiled step is none: several replicas, or batches of ever other shapes."""
    if not config.jit_compile:
        return
    expected = "Expected `trainer.jit_compile: false`"
    if replicas > 1:
        raise ConfigError(
            f"{expected} on {replicas} replicas, for XLA cannot compile how they exchange gradients. Received: true. "
            "Set `trainer.strategy: one_device`."
        )
    if texts := [name for own in names.text_inputs(inputs).values() for name in own]:
        raise ConfigError(
            f"{expected} for texts ({', '.join(texts)}), for a batch is as wide as its longest text, and XLA would compile every width "
            "anew. Received: true. Leave it out."
        )


def check_model(config: TrainerConfig, model: keras.Model) -> None:
    """Raises ConfigError where Keras has found a layer that XLA cannot compile, and has compiled the model without."""
    if config.jit_compile and not model.jit_compile:
        layers = [layer.name for layer in model._flatten_layers(include_self=False, recursive=True) if not layer.supports_jit]
        raise ConfigError(
            f"Expected layers that XLA can compile for `trainer.jit_compile: true`. Received: {listed(layers)}. "
            "Leave out `trainer.augment`, or set `trainer.jit_compile: false`."
        )


def compiled(function: Callable[..., Any], config: TrainerConfig) -> Callable[..., Any]:
    """`function`, compiled as `model.fit` compiles its own step, if the config asks for it."""
    return tf.function(function, reduce_retracing=True, jit_compile=True, autograph=False) if config.jit_compile else function


@contextlib.contextmanager
def told(config: TrainerConfig) -> Iterator[None]:
    """Raises ConfigError in place of XLA's own error where a step has an operation that it does not know."""
    try:
        yield
    except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
        if not config.jit_compile or not any(said in str(error) for said in _SAID_BY_XLA):
            raise
        raise ConfigError(
            f"Expected a training step that XLA can compile for `trainer.jit_compile: true`. Received: {one_line(error)[:300]} "
            "Set `trainer.jit_compile: false`."
        ) from error
