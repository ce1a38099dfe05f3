"""Virtual adversarial training (arXiv:1704.03976): answers must not change where they would change fastest, whatever the label.

a random direction for each row -> a small move along it, which the tape watches -> the gradient of how far the answers move -> that is
    the new direction, once for each power iteration -> the distance of the answers `epsilon` along it, times `weight`, added to the loss
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from trainer.errors import ConfigError
from trainer.lazy import keras, tf
from trainer.steps.step import Outcome, Step, check_smooth, loss_of, mean_of_rows, scaled, split_smooth

if TYPE_CHECKING:
    from trainer.steps.step import Inputs

_SMALL = 1e-2  # how far a row is moved to find its direction: the paper's 1e-6 is less than what float32 can tell of answers


class VirtualAdversarial(Step):
    """The loss, plus the mean distance between the answers to a row and to that row moved to where the answers change most.

    The answers are those without dropout, whose other mask would be a larger difference than the move.
    """

    kind: Literal["virtual_adversarial"] = Field(
        "virtual_adversarial", description="Adds how far answers move with inputs that are moved to where they change most."
    )
    epsilon: float = Field(1.0, gt=0.0, le=1000.0, description="How far each row is moved, a Euclidean norm over its pixels and numbers.")
    weight: float = Field(1.0, gt=0.0, le=1000.0, description="Of the distance between the answers, in the sum with the loss.")
    iterations: int = Field(1, ge=1, le=100, description="Of the power method that finds the direction; each costs a gradient.")

    def check(self, x: Inputs) -> None:
        """See `Step`."""
        check_smooth(x, self.kind)
        if self._task is None:
            raise ConfigError("Expected a task for `trainer.step: virtual_adversarial`. Received: none. Run the pipeline.")

    def __call__(self, model: keras.Model, x: Inputs, y: tf.Tensor, seed: tf.Tensor) -> Outcome:
        """See `Step`. The loss is the sum, the predictions are those of the inputs as they are."""
        answers = tf.stop_gradient(self._task.activated(model(x, training=False)))
        directions = self._directions(model, x, answers, seed)
        with tf.GradientTape() as tape:
            loss, predictions = loss_of(model, x, y)
            distances = self._distances(model, x, answers, [self.epsilon * each for each in directions])
            distance = mean_of_rows(model, y, distances) / tf.distribute.get_strategy().num_replicas_in_sync
            total = loss + self.weight * tf.cast(distance, loss.dtype)
            scaled_loss = scaled(model, total)
        return Outcome(total, tape.gradient(scaled_loss, model.trainable_variables), predictions)

    def _directions(self, model: keras.Model, x: Inputs, answers: tf.Tensor, seed: tf.Tensor) -> list[tf.Tensor]:
        """Of each smooth input, (batch, ...); over all of them together each row has the norm 1, or 0 where its answers do not change."""
        smooth, _ = split_smooth(x)
        directions = _of_norm_1(
            [tf.random.stateless_normal(tf.shape(part), seed + number, dtype=part.dtype) for number, part in enumerate(smooth)]
        )
        for _ in range(self.iterations):
            moves = [_SMALL * each for each in directions]
            with tf.GradientTape() as tape:
                tape.watch(moves)
                distance = tf.reduce_mean(self._distances(model, x, answers, moves)) / tf.distribute.get_strategy().num_replicas_in_sync
            directions = _of_norm_1(tape.gradient(distance, moves, unconnected_gradients=tf.UnconnectedGradients.ZERO))
        return [tf.stop_gradient(each) for each in directions]

    def _distances(self, model: keras.Model, x: Inputs, answers: tf.Tensor, moves: list[tf.Tensor]) -> tf.Tensor:
        """Of each row, (batch, ...)."""
        smooth, whole = split_smooth(x)
        moved = model(whole([part + move for part, move in zip(smooth, moves, strict=True)]), training=False)
        return self._task.distance(answers, moved, 1.0)


def _of_norm_1(parts: list[tf.Tensor]) -> list[tf.Tensor]:
    """Divided by each row's Euclidean norm over all parts; first by the largest value, whose square may be 0 to a float."""
    largest = tf.stack([tf.reduce_max(tf.abs(_flat(part)), axis=1) for part in parts])
    parts = [part / _beside(part, tf.reduce_max(largest, axis=0) + 1e-30) for part in parts]
    norm = tf.sqrt(tf.add_n([tf.reduce_sum(tf.square(_flat(part)), axis=1) for part in parts]) + 1e-12)
    return [part / _beside(part, norm) for part in parts]


def _flat(part: tf.Tensor) -> tf.Tensor:
    """(batch, values)."""
    return tf.reshape(part, [tf.shape(part)[0], -1])


def _beside(part: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Values (batch,) in a shape that goes with `part`, (batch, ...)."""
    return tf.reshape(values, [-1] + [1] * (part.shape.rank - 1))
