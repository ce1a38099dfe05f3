"""Adversarial training (FGSM, arXiv:1412.6572): a part of the loss is that of inputs moved a little to where the model errs most.

the gradient of the loss by the input, which the tape is told to watch -> its sign times `epsilon`, added to the input -> the loss there
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from trainer.lazy import keras, tf
from trainer.steps.step import Outcome, Step, check_smooth, loss_of, scaled, split_smooth, sum_of_rows

if TYPE_CHECKING:
    from trainer.steps.step import Inputs


class Adversarial(Step):
    """The mean of the loss of a batch and of the loss of that batch, moved against the model."""

    kind: Literal["adversarial"] = Field("adversarial", description="Trains on inputs that were moved against the model as well.")
    epsilon: float = Field(
        0.1, gt=0.0, le=100.0, description="How far each pixel and number is moved, in what Transform makes of them, which is near 1."
    )
    weight: float = Field(0.5, gt=0.0, le=1.0, description="Of the moved inputs' loss; that of the others has the rest.")

    def check(self, x: Inputs) -> None:
        """See `Step`."""
        check_smooth(x, self.kind)

    def __call__(self, model: keras.Model, x: Inputs, y: tf.Tensor, seed: tf.Tensor) -> Outcome:
        """See `Step`. The loss is the weighted sum, the predictions are those of the inputs as they are."""
        smooth, whole = split_smooth(x)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(smooth)
            loss, predictions = loss_of(model, whole(smooth), y)
            losses = sum_of_rows(loss, predictions)
            with tape.stop_recording():
                against = tape.gradient(losses, smooth)
                moved = [
                    part if slope is None else part + self.epsilon * tf.sign(slope) for part, slope in zip(smooth, against, strict=True)
                ]
            moved_loss, _ = loss_of(model, whole(moved), y)
            total = (1 - self.weight) * loss + self.weight * moved_loss
            scaled_loss = scaled(model, total)
        return Outcome(total, tape.gradient(scaled_loss, model.trainable_variables), predictions)
