"""Model-agnostic meta-learning (arXiv:1703.03400): weights from which a few gradient steps lead far, rather than weights that are good.

some classes of the batch, their rows in two halves -> gradient steps by the loss of the one, support -> at the weights where they end the
    loss of the other, query -> its gradient by the weights where they began, through those steps: a second-order one
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from pydantic import Field

from trainer.lazy import keras, tf
from trainer.steps.step import Outcome, Step, at, classes_fault, loss_of, scaled

if TYPE_CHECKING:
    from trainer.steps.step import Inputs, LeastTask


class _FewShots(NamedTuple):
    """A task made of a batch."""

    support: tf.Tensor  # bool (batch,): rows that are adapted to
    query: tf.Tensor  # bool (batch,): rows that it is judged by afterwards
    places: tf.Tensor  # int32 (classes,): the class that rows of each class are said to have


class Maml(Step):
    """The gradient of the loss after a few gradient steps on other rows of the same classes, the mean of several such tasks."""

    NO_WEIGHTS: ClassVar[str] = "which makes tasks of classes, whatever a row weighs"

    kind: Literal["maml"] = Field("maml", description="Learns weights that adapt in a few gradient steps: gradients through gradients.")
    tasks: int = Field(2, ge=1, le=64, description="How many tasks are made of a batch; the gradient is the mean of theirs.")
    ways: int = Field(
        5, ge=2, le=1000, description="Classes of a task, drawn of those with two rows in the batch; fewer where it has fewer."
    )
    shots: int = Field(
        5, ge=1, le=10_000, description="Rows of each class that a task adapts to, at most half of those in the batch; the others judge it."
    )
    inner_steps: int = Field(1, ge=1, le=20, description="Gradient steps of a task.")
    inner_rate: float = Field(0.1, gt=0.0, le=100.0, description="Their learning rate.")
    shuffle_classes: bool = Field(
        False,
        description="Gives a task's classes each other's numbers at random: the model then learns to adapt to classes that it has never "
        "seen, and as it is it can tell none.",
    )
    first_order: bool = Field(False, description="Takes the steps' own gradients as constants: faster, and nearly as good in the paper.")

    def fault(self, task: LeastTask, loss: str) -> str | None:
        """See `Step`."""
        return classes_fault(task, self.kind)

    def __call__(self, model: keras.Model, x: Inputs, y: tf.Tensor, seed: tf.Tensor) -> Outcome:
        """See `Step`. The loss is that of the query rows, after adapting; the predictions are those of the weights themselves."""
        predictions = model(x, training=True)  # which moves what batch normalisation remembers: passes through `at` move nothing
        start = [tf.convert_to_tensor(variable) for variable in model.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(start)
            losses = []
            for number in range(self.tasks):
                task = self._task_of(y, seed + 2 * number)
                support, query = (_rows(x, self._labels(y, task.places), which) for which in (task.support, task.query))
                adapted = self._adapted(model, start, *support)
                losses.append(at(model, adapted, lambda query=query: loss_of(model, *query)[0]))
            loss = tf.add_n(losses) / self.tasks
            scaled_loss = scaled(model, loss)
        return Outcome(loss, tape.gradient(scaled_loss, start), predictions)

    def _adapted(self, model: keras.Model, values: list[tf.Tensor], x: Inputs, y: tf.Tensor) -> list[tf.Tensor]:
        """Where the weights are after the inner steps that begin at `values`, of the replica's own mean loss."""
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        for _ in range(self.inner_steps):
            with tf.GradientTape() as tape:
                tape.watch(values)
                loss = replicas * at(model, values, lambda: loss_of(model, x, y)[0])
            slopes = [None if slope is None else tf.convert_to_tensor(slope) for slope in tape.gradient(loss, values)]
            values = [
                value if slope is None else value - self.inner_rate * (tf.stop_gradient(slope) if self.first_order else slope)
                for value, slope in zip(values, slopes, strict=True)
            ]
        return values

    def _task_of(self, y: tf.Tensor, seed: tf.Tensor) -> _FewShots:
        """Drawn by the seed. A batch without two rows of a class is its own support and query."""
        classes, labels = self._task.outputs, _numbers(y)
        counts = tf.math.bincount(labels, minlength=classes, maxlength=classes)
        chance = tf.where(counts >= 2, tf.random.stateless_uniform([classes], seed), -1.0)
        drawn = tf.math.top_k(chance, min(self.ways, classes)).indices
        drawn = tf.boolean_mask(drawn, tf.gather(counts, drawn) >= 2)
        is_drawn = tf.scatter_nd(drawn[:, tf.newaxis], tf.ones_like(drawn), [classes]) > 0
        order = _order_in_class(labels, counts, seed + 1)
        of_task = tf.gather(is_drawn, labels)
        support = of_task & (order < tf.gather(tf.minimum(self.shots, counts // 2), labels))
        none = tf.logical_not(tf.reduce_any(of_task))
        places = tf.range(classes)
        if self.shuffle_classes:
            places = tf.tensor_scatter_nd_update(places, tf.sort(drawn)[:, tf.newaxis], drawn)
        return _FewShots(support | none, (of_task & ~support) | none, places)

    def _labels(self, y: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
        """`y`, its classes at other places."""
        moved = tf.gather(places, _numbers(y))
        return tf.cast(moved, y.dtype) if y.shape.rank == 1 else tf.one_hot(moved, self._task.outputs, dtype=y.dtype)


def _numbers(y: tf.Tensor) -> tf.Tensor:
    """int32 (batch,): the classes of labels that are numbers or one-hot."""
    return tf.cast(y if y.shape.rank == 1 else tf.argmax(y, axis=-1), tf.int32)


def _order_in_class(labels: tf.Tensor, counts: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """int32 (batch,): the rows of each class numbered from 0 in an order that is drawn."""
    rows = tf.size(labels)
    mixed = tf.random.experimental.stateless_shuffle(tf.range(rows), seed=seed)
    by_class = tf.gather(mixed, tf.argsort(tf.gather(labels, mixed), stable=True))
    first = tf.cumsum(counts, exclusive=True)
    number = tf.range(rows) - tf.gather(first, tf.gather(labels, by_class))
    return tf.scatter_nd(by_class[:, tf.newaxis], number, [rows])


def _rows(x: Inputs, y: tf.Tensor, which: tf.Tensor) -> tuple[Inputs, tf.Tensor]:
    taken = {name: tf.boolean_mask(values, which) for name, values in x.items()} if isinstance(x, dict) else tf.boolean_mask(x, which)
    return taken, tf.boolean_mask(y, which)
