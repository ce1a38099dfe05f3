"""Mixed precision: a model that computes in 16 bits, keeps its weights in float32, and gives float32 logits."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import keras
import tensorflow as tf

from trainer.config import TrainerConfig
from trainer.errors import ConfigError
from trainer.models.members import Ensemble

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def policy(name: str) -> Iterator[None]:
    """Inside, layers are made with Keras's dtype policy `name`; behind it the policy is what it was before."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def giving_float32(model: keras.Model) -> keras.Model:
    """The model, whose logits are made float32 where they are not, so that losses, metrics and answers are computed in float32.

    Call it outside `policy`: what it makes must not round the inputs.

    Raises:
      ConfigError: a model of the user's own is a class with a `call`, and gives something else.
    """
    if not _is_functional(model):
        if model.compute_dtype != "float32":
            raise ConfigError(
                f"Expected a functional or Sequential model for `trainer.precision: {model.dtype_policy.name}`, so that its logits can be "
                f"made float32. Received: {type(model).__name__}, a class of its own. Return keras.Model(inputs, outputs), or set "
                "`trainer.precision: float32`."
            )
        return model
    if model.outputs[0].dtype == "float32":
        return model
    logits = keras.layers.Activation("linear", dtype="float32", name="float32_logits")
    if isinstance(model, keras.Sequential):
        model.add(logits)
        return model
    more = {"activation": model.activation} if isinstance(model, Ensemble) else {}
    return type(model)(model.input, logits(model.output), name=model.name, **more)


def check(config: TrainerConfig) -> None:
    """Says in the log where 16 bits bring nothing.

    Raises:
      ConfigError: float16 with a step of the user's own whose code does not scale its loss, so that the weights would hardly move.
    """
    if config.precision == "mixed_float16" and config.step.kind == "own" and not any("scale_loss" in code for code in config.code.values()):
        raise ConfigError(
            "Expected a step that takes the gradients of `model.optimizer.scale_loss(loss)` for `trainer.precision: mixed_float16`, whose "
            f"optimizer divides them by that scale. Received: {config.step.function}, which does not name it. Scale the loss inside of the "
            "tape, or set `trainer.precision: mixed_bfloat16`."
        )
    if config.precision != "float32" and not (tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("TPU")):
        _log.warning(
            "`trainer.precision: %s` on a CPU, most of which compute 16 bits more slowly, float16's convolutions hundreds of times.",
            config.precision,
        )


def _is_functional(model: keras.Model) -> bool:
    return model.built if isinstance(model, keras.Sequential) else hasattr(model, "operations")
