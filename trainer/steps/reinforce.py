"""A policy gradient (REINFORCE, Williams 1992): the model answers at random as probably as it says, and learns from what that costs.

logits -> a class drawn for each row by their softmax -> its cost, less a baseline -> times the gradient of the logarithm of its probability

Averaged over all draws that is the gradient of the expected cost, whatever baseline does not depend on the row's own draw.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from trainer.errors import did_you_mean, listed
from trainer.lazy import keras, tf
from trainer.steps.step import Outcome, Step, class_names, classes_fault, loss_of, scaled

if TYPE_CHECKING:
    from trainer.steps.step import Inputs, LeastTask

_MOST = 1e6
_Cost = tuple[str, str, Annotated[float, Field(ge=0.0, le=_MOST)]]
_Given = list[tuple[str | int, str | int, float]]  # for the JSON Schema: what `_checked` takes


def _checked(given: Any) -> Any:
    """The costs with names of classes as text; else one line, in place of one for each thing that they could have been."""
    rows = given if isinstance(given, list | tuple) else [given]
    for row in rows:
        if not (
            isinstance(row, list | tuple)
            and len(row) == 3
            and all(isinstance(name, str | int) and not isinstance(name, bool) for name in row[:2])
            and isinstance(row[2], int | float)
            and not isinstance(row[2], bool)
            and math.isfinite(row[2])
            and 0 <= row[2] <= _MOST
        ):
            raise ValueError(
                f"trainer.step.costs: Expected a list of [TRUE, PREDICTED, COST], two classes and a number from 0 to {_MOST:,.0f}. "
                f"Received: {row!r}. Names that YAML takes for something else need quotes."
            )
    costs = tuple((str(true), str(predicted), float(cost)) for true, predicted, cost in rows)
    pairs = [row[:2] for row in costs]
    if twice := next((pair for pair in pairs if pairs.count(pair) > 1), None):
        raise ValueError(f"trainer.step.costs: Expected each pair of classes once. Received: [{', '.join(twice)}] twice. Remove one.")
    return costs


Costs = Annotated[tuple[_Cost, ...], BeforeValidator(_checked, json_schema_input_type=_Given)]


class Reinforce(Step):
    """The gradient of the expected cost of the answers, estimated by one answer drawn for each row."""

    NO_WEIGHTS: ClassVar[str] = "whose `costs` weigh mistakes"

    kind: Literal["reinforce"] = Field("reinforce", description="Learns from the cost of answers that it draws: a policy gradient.")
    costs: Costs = Field(
        (), description="What answers cost: a list of `[TRUE, PREDICTED, COST]`, by classes. Others cost 1 if wrong and 0 if right."
    )
    baseline: Literal["expected", "batch", "none"] = Field(
        "expected",
        description="What is taken off a cost, so that gradients vary less: what is to be expected by the model's own probabilities, the "
        "mean of the batch's other rows, or nothing.",
    )
    entropy: float = Field(
        0.01, ge=0.0, le=1000.0, description="Of the probabilities' entropy, which is taken off the loss: more keeps it trying others."
    )

    weight: float = Field(0.5, gt=0.0, le=1.0, description="Of the expected cost and the entropy; the loss by the labels has the rest.")

    def fault(self, task: LeastTask, loss: str) -> str | None:
        """See `Step`."""
        if fault := classes_fault(task, self.kind):
            return fault
        if self.weight == 1 and loss != "auto":
            return (
                "trainer.loss: Expected `auto` with `trainer.step: reinforce`, which takes none but the expected cost with `weight: 1`. "
                f"Received: '{loss}'. Remove it, or set a smaller `weight`."
            )
        if task.class_weights != "none":
            return "task.class_weights: Expected `none` with `trainer.step: reinforce`, whose `costs` weigh mistakes. Remove it."
        known = class_names(task)
        for name in [name for row in self.costs for name in row[:2]] if known else []:
            if name not in known:
                return f"trainer.step.costs: Expected classes, some of {listed(known)}. Received: '{name}'.{did_you_mean(name, known)}"
        return None

    def __call__(self, model: keras.Model, x: Inputs, y: tf.Tensor, seed: tf.Tensor) -> Outcome:
        """See `Step`. The loss has the expected cost, the gradients are of what was drawn.

        An ensemble's members each draw for themselves.
        """
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        with tf.GradientTape() as tape:
            by_labels, predictions = loss_of(model, x, y)
            logits = tf.reshape(tf.cast(predictions, tf.float32), [-1, self._task.outputs])
            labels = tf.repeat(y if y.shape.rank == 1 else tf.argmax(y, axis=-1), tf.shape(logits)[0] // tf.shape(y)[0])
            logs = tf.nn.log_softmax(logits)
            entropy = -tf.reduce_sum(tf.exp(logs) * logs, axis=-1)
            costs = self._costs(labels)
            expected = tf.reduce_sum(tf.exp(logs) * costs, axis=-1)
            drawn = self._drawn(logits, seed)
            cost, log = tf.gather(costs, drawn, batch_dims=1), tf.gather(logs, drawn, batch_dims=1)
            advantage = tf.stop_gradient(cost - self._baseline(cost, expected))
            total, surrogate = (
                (1 - self.weight) * by_labels + self.weight * tf.reduce_mean(each - self.entropy * entropy) / replicas
                for each in (expected, advantage * log)
            )
            scaled_surrogate = scaled(model, surrogate)
        return Outcome(total, tape.gradient(scaled_surrogate, model.trainable_variables), predictions)

    def _drawn(self, logits: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """int32 (rows,): a class for each row of logits (rows, classes)."""
        return tf.random.stateless_categorical(logits, 1, seed, dtype=tf.int32)[:, 0]

    def _baseline(self, cost: tf.Tensor, expected: tf.Tensor) -> tf.Tensor:
        """float32 (rows,), none of which depends on the class that was drawn for that row."""
        if self.baseline == "expected":
            return expected
        others = tf.maximum(tf.size(cost) - 1, 1)
        return (tf.reduce_sum(cost) - cost) / tf.cast(others, cost.dtype) if self.baseline == "batch" else tf.zeros_like(cost)

    def _costs(self, labels: tf.Tensor) -> tf.Tensor:
        """float32 (rows, classes): of each answer to rows of these labels, (rows,)."""
        outputs = self._task.outputs
        usual = 1.0 - tf.one_hot(labels, outputs)
        if not self.costs:
            return usual
        number = {name: place for place, name in enumerate(class_names(self._task))}
        true, predicted = ([number[row[place]] for row in self.costs] for place in (0, 1))
        more = [cost - (left != right) for left, right, cost in self.costs]
        is_true = tf.cast(tf.equal(labels[:, tf.newaxis], tf.constant(true, labels.dtype)), tf.float32)  # (rows, costs)
        return usual + is_true @ (tf.constant(more, tf.float32)[:, tf.newaxis] * tf.one_hot(predicted, outputs))
