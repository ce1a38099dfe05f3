"""Distillation (arXiv:1503.02531): a model learns a label from the data, and from another model how likely all the others are.

the teacher's answers to the batch -> made softer by the temperature -> how far the model's own, as soft, are from them -> `weight` of the
    loss, times the temperature's square, for the gradients of softer answers are that much smaller
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, PrivateAttr

from trainer.errors import ConfigError
from trainer.lazy import keras, tf
from trainer.steps.step import Outcome, Step, loss_of, mean_of_rows, scaled

if TYPE_CHECKING:
    from collections.abc import Callable

    from trainer.steps.step import Inputs


class Distill(Step):
    """The weighted mean of the task's loss and of the distance from a teacher's answers."""

    HAS_TEACHER: ClassVar[bool] = True

    kind: Literal["distill"] = Field("distill", description="Learns from the labels and from another model's answers.")
    teacher: str | None = Field(
        None,
        description="The folder of the model to learn from: a SavedModel, or its versions. By default the stable version of those that "
        "this pipeline has pushed, or else the last one, that was not distilled itself.",
    )
    temperature: float = Field(
        2.0,
        ge=0.1,
        le=100.0,
        description="By what logits are divided, the teacher's and the model's: above 1 small probabilities count more.",
    )
    weight: float = Field(0.5, gt=0.0, le=1.0, description="Of the distance from the teacher; the loss by the labels has the rest.")

    _answers: Any = PrivateAttr(None)

    def taught_by(self, answers: Callable[[Inputs], tf.Tensor]) -> Step:
        """See `Step`."""
        step = self.model_copy()
        step._answers = answers
        return step

    def check(self, x: Inputs) -> None:
        """See `Step`."""
        if self._answers is None or self._task is None:
            raise ConfigError(
                "Expected a teacher for `trainer.step: distill`. Received: none. Run the pipeline, which finds it, or give "
                "`{kind: distill, teacher: FOLDER}`."
            )

    def __call__(self, model: keras.Model, x: Inputs, y: tf.Tensor, seed: tf.Tensor) -> Outcome:
        """See `Step`. An ensemble's members each learn from the teacher."""
        answers = tf.stop_gradient(self._answers(x))
        with tf.GradientTape() as tape:
            loss, predictions = loss_of(model, x, y)
            theirs = answers[:, tf.newaxis] if predictions.shape.rank == 3 else answers
            distance = mean_of_rows(model, y, self._task.distance(theirs, predictions, self.temperature))
            replicas = tf.distribute.get_strategy().num_replicas_in_sync
            total = (1 - self.weight) * loss + self.weight / replicas * tf.cast(distance, loss.dtype)
            scaled_loss = scaled(model, total)
        return Outcome(total, tape.gradient(scaled_loss, model.trainable_variables), predictions)
