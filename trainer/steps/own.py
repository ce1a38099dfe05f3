"""A step of the user's own: a function of a file beside the config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PrivateAttr

from trainer import user_code
from trainer.errors import ConfigError
from trainer.lazy import keras, tf
from trainer.reference import Reference
from trainer.steps.step import Outcome, Step

if TYPE_CHECKING:
    from trainer.steps.step import Inputs

_SHAPE = "(loss, gradients, predictions)"


class Own(Step):
    """A function `step(model, x, y, seed)` that gives the loss, the gradients and the predictions."""

    kind: Literal["own"] = Field("own", description="A function of your own; docs/your-own-code.md.")
    function: Reference = Field(description="`FILE.py:NAME`, the file relative to the config's folder.")

    _function: Any = PrivateAttr(None)

    def with_code(self, code: Mapping[str, str]) -> Step:
        """See `Step`."""
        step = self.model_copy()
        step._function = user_code.load(code, self.function)
        if not callable(step._function):
            raise ConfigError(f"Expected `trainer.step: {self.function}` to be a function. Received: {type(step._function).__name__}.")
        return step

    def __call__(self, model: keras.Model, x: Inputs, y: tf.Tensor, seed: tf.Tensor) -> Outcome:
        """See `Step`.

        Raises:
          ConfigError: what the function gives is not what a step gives. TrainingError: it fails.
        """
        where = user_code.place(self._function, self.function)
        with user_code.told(where):
            given = self._function(model, x, y, seed)
        if not isinstance(given, tuple | list) or len(given) != 3:
            received = f"{len(given)} values" if isinstance(given, tuple | list) else type(given).__name__
            raise ConfigError(f"{where}: Expected the step to return {_SHAPE}. Received: {received}.")
        outcome = Outcome(*given)
        _check_loss(outcome.loss, where)
        _check_gradients(outcome.gradients, model.trainable_variables, where)
        if not tf.is_tensor(outcome.predictions):
            received = type(outcome.predictions).__name__
            raise ConfigError(f"{where}: Expected the step's predictions to be what the model gave, a tensor. Received: {received}.")
        return outcome


def _check_loss(loss: Any, where: str) -> None:
    if not tf.is_tensor(loss) or not loss.dtype.is_floating or loss.shape.rank != 0:
        received = f"{loss.dtype.name} {loss.shape}" if tf.is_tensor(loss) else type(loss).__name__
        raise ConfigError(
            f"{where}: Expected the step's loss to be a scalar, a float. Received: {received}. Take tf.reduce_mean of it, or what "
            "model.compute_loss gives."
        )


def _check_gradients(gradients: Any, variables: list[Any], where: str) -> None:
    if not isinstance(gradients, list | tuple) or len(gradients) != len(variables):
        received = f"{len(gradients)}" if isinstance(gradients, list | tuple) else type(gradients).__name__
        raise ConfigError(
            f"{where}: Expected the step's gradients to be a list of {len(variables)}, one for each of model.trainable_variables. "
            f"Received: {received}."
        )
    for gradient, variable in zip(gradients, variables, strict=True):
        if gradient is None:  # which `without_gradient` speaks of
            continue
        if not isinstance(gradient, tf.IndexedSlices) and not tf.is_tensor(gradient):
            raise ConfigError(f"{where}: Expected a tensor as the gradient of {variable.path}. Received: {type(gradient).__name__}.")
        if not gradient.shape.is_compatible_with(variable.shape):
            raise ConfigError(
                f"{where}: Expected the gradient of {variable.path} to have its shape, {tuple(variable.shape)}. "
                f"Received: {gradient.shape}. Are they in the order of model.trainable_variables?"
            )
