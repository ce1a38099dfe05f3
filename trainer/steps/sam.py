"""Sharpness-aware minimisation (arXiv:2010.01412): the gradient where the loss is worst nearby, so that a flat minimum is found.

gradient g at the weights w -> e = rho g / |g| -> the gradient at w + e, applied at w
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from trainer.lazy import keras, tf
from trainer.steps.step import Outcome, Step, at, loss_of, scaled

if TYPE_CHECKING:
    from trainer.steps.step import Inputs

_LEAST_NORM = 1e-12  # as in the paper's own code, so that a gradient of 0 divides nothing by 0


class Sam(Step):
    """Two gradients a step, the second one where a small move along the first one has led.

    Each replica moves along its own gradient, as in the paper.
    """

    kind: Literal["sam"] = Field("sam", description="Sharpness-aware minimisation: two gradients a step.")
    rho: float = Field(0.05, gt=0.0, le=10.0, description="How far the weights are moved for the second gradient, a Euclidean norm.")

    def __call__(self, model: keras.Model, x: Inputs, y: tf.Tensor, seed: tf.Tensor) -> Outcome:
        """See `Step`. Loss and predictions are those at the weights themselves."""
        variables = model.trainable_variables
        with tf.GradientTape() as tape:
            loss, predictions = loss_of(model, x, y)
            scaled_loss = scaled(model, loss)
        gradients = tape.gradient(scaled_loss, variables)
        reach = self.rho / (tf.linalg.global_norm(gradients) + _LEAST_NORM)
        moved = [
            tf.convert_to_tensor(variable) if gradient is None else variable + reach * tf.convert_to_tensor(gradient)
            for variable, gradient in zip(variables, gradients, strict=True)
        ]
        with tf.GradientTape() as tape:
            tape.watch(moved)
            scaled_loss = at(model, moved, lambda: scaled(model, loss_of(model, x, y)[0]))
        return Outcome(loss, tape.gradient(scaled_loss, moved), predictions)
