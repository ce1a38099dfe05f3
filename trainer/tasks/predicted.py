"""What a model predicts for rows, as its task serves it: the logits made probabilities or numbers, and an ensemble's members averaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainer.lazy import tf

if TYPE_CHECKING:
    from trainer.tasks import Task


def predicted(task: Task, logits: tf.Tensor) -> tf.Tensor:
    """float32 (batch, outputs) of logits (batch, outputs) or, of an ensemble, (batch, members, outputs)."""
    activated = task.activated(logits)
    return tf.reduce_mean(activated, axis=1) if activated.shape.rank == 3 else activated
