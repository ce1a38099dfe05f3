"""A penalty on how fast the loss changes with the input (double backpropagation, Drucker and LeCun 1992): a second-order gradient.

the loss -> under the inner tape its gradient by each row's input -> the mean of its squared norm, times `weight`, added to the loss
    -> under the outer tape the gradient of that sum by the weights
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from trainer.lazy import keras, tf
from trainer.steps.step import Outcome, Step, check_smooth, loss_of, scaled, split_smooth, sum_of_rows

if TYPE_CHECKING:
    from trainer.steps.step import Inputs


class GradientPenalty(Step):
    """The loss, plus the mean over the rows of the squared norm of its gradient by the row's pictures and numbers."""

    kind: Literal["gradient_penalty"] = Field(
        "gradient_penalty", description="Adds the squared norm of the loss's gradient by the input to the loss: nested tapes."
    )
    weight: float = Field(0.1, gt=0.0, le=1e6, description="Of the penalty beside the loss.")

    def check(self, x: Inputs) -> None:
        """See `Step`."""
        check_smooth(x, self.kind)

    def __call__(self, model: keras.Model, x: Inputs, y: tf.Tensor, seed: tf.Tensor) -> Outcome:
        """See `Step`. The loss is the sum."""
        smooth, whole = split_smooth(x)
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(smooth)
                loss, predictions = loss_of(model, whole(smooth), y)
                losses = sum_of_rows(loss, predictions)
            total = loss + self.weight * _mean_squared_norm(inner.gradient(losses, smooth))
            scaled_loss = scaled(model, total)
        return Outcome(total, outer.gradient(scaled_loss, model.trainable_variables), predictions)


def _mean_squared_norm(gradients: list[tf.Tensor | None]) -> tf.Tensor:
    """Over the rows, of the gradients of each row's own loss, (batch, ...); divided by the number of replicas, as the loss is.

    An input that the model does not use has none.
    """
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    given = [gradient for gradient in gradients if gradient is not None]
    squares = tf.add_n([tf.reduce_sum(tf.square(gradient)) for gradient in given])
    return squares / tf.cast(tf.shape(given[0])[0] * replicas, squares.dtype)
