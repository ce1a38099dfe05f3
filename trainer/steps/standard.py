"""The step that `model.fit` does as well: one gradient of one loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from trainer.lazy import keras, tf
from trainer.steps.step import Outcome, Step, loss_of, scaled

if TYPE_CHECKING:
    from trainer.steps.step import Inputs


class Standard(Step):
    """The gradient of the loss."""

    kind: Literal["standard"] = Field("standard", description="The gradient of the loss; both loops have it.")

    def __call__(self, model: keras.Model, x: Inputs, y: tf.Tensor, seed: tf.Tensor) -> Outcome:
        """See `Step`."""
        with tf.GradientTape() as tape:
            loss, predictions = loss_of(model, x, y)
            scaled_loss = scaled(model, loss)
        return Outcome(loss, tape.gradient(scaled_loss, model.trainable_variables), predictions)
