"""Whether a trained model is better than one that gives every row the same answer; one that is not has learnt nothing.

train labels -> the task's constants -> the compiled loss of each and of the model, row by row on the eval split -> compared
"""

import logging
from collections.abc import Iterable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from trainer.config import TrainerConfig
from trainer.input_pipeline import Batches, Inputs
from trainer.models.members import average
from trainer.tasks import Task

_STANDARD_ERRORS = 2.0  # as the gate allows for chance
_ALIKE = 1e-3  # logits that differ by less between all rows are one answer, which the rows' chance alone puts above or below a constant

_log = logging.getLogger(__name__)


class RowLosses(NamedTuple):
    """Of some rows.

    Attributes:
      model: float32 (rows,).
      constants: float32 (constants, rows), of each constant answer.
      least: float32 (outputs,), the least of each logit of the model.
      most: the same, the greatest.
    """

    model: np.ndarray
    constants: np.ndarray
    least: np.ndarray
    most: np.ndarray


class Comparison(NamedTuple):
    """Mean losses over the same rows, and what follows from them."""

    model: float
    constant: float  # of the best constant answer
    has_learnt: bool


def compared(batches: Iterable[RowLosses]) -> Comparison:
    """The model's loss compared with that of the best constant answer.

    A model that is worse by less than two standard errors has learnt nevertheless: of few rows, one that is a little better than the
    constant, as data with a faint signal allow no more, is that much worse by chance. The error is of the rows' differences, for what
    makes a row hard does so for both.
    """
    model, constants, least, most = zip(*batches, strict=True)
    ours, theirs = np.concatenate(model).astype(np.float64), np.concatenate(constants, axis=1).astype(np.float64)
    best = theirs[theirs.mean(axis=1).argmin()]
    worse, rows = ours - best, len(ours)
    error = worse.std(ddof=1) / rows**0.5 if rows > 1 else np.inf
    is_one_answer = rows > 1 and float((np.max(most, axis=0) - np.min(least, axis=0)).max()) < _ALIKE
    has_learnt = not is_one_answer and (worse.mean() < 0 or worse.mean() < _STANDARD_ERRORS * error)
    return Comparison(float(ours.mean()), float(best.mean()), bool(has_learnt))


def row_losses(loss: keras.losses.Loss, y: tf.Tensor, logits: tf.Tensor, constants: tf.Tensor) -> RowLosses:
    """The loss of a batch, row by row, as tensors.

    Args:
      loss: on logits.
      y: what it is given of the labels, (rows, ...).
      logits: the model's, float32 (rows, outputs).
      constants: float32 (constants, outputs), each the logits of every row.
    """

    def of(answers: tf.Tensor) -> tf.Tensor:
        return tf.cast(loss.call(tf.cast(y, tf.float32), answers), tf.float32)  # Keras, too, makes all labels floats

    of_constants = tf.map_fn(lambda constant: of(tf.broadcast_to(constant, tf.shape(logits))), constants)
    return RowLosses(of(logits), of_constants, tf.reduce_min(logits, axis=0), tf.reduce_max(logits, axis=0))


def standing_for(labels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """As many of the `labels`, (rows, ...), of which each is there about as often as it weighs: their shares are the weighted ones."""
    weighed = np.cumsum(weights.numpy().astype(np.float64))
    if not len(weighed) or not weighed[-1]:
        return labels
    places = (np.arange(len(weighed)) + 0.5) * (weighed[-1] / len(weighed))
    return tf.gather(labels, np.searchsorted(weighed, places, side="right"))


def fault(
    model: keras.Model, task: Task, config: TrainerConfig, labels: tf.Tensor, eval_batches: Batches, weights: tf.Tensor | None = None
) -> str | None:
    """What to say of a model that has not learnt; None of one that has, or whose loss cannot be taken of a constant answer.

    Args:
      model: with the weights that would be exported.
      task: of which `labels` are.
      config: what the training was.
      labels: all transformed labels of the train split, (rows, ...).
      eval_batches: the eval split.
      weights: float32 (rows,), of the train split's rows, where they have some: the constants are those that are best for such a loss.
    """
    known = task.is_known(labels)
    labels = tf.boolean_mask(labels, known)
    labels = labels if weights is None else standing_for(labels, tf.boolean_mask(weights, known))
    constants = tf.cast(task.constant_logits(labels), tf.float32)

    @tf.function(input_signature=eval_batches.dataset.element_spec, autograph=False)
    def losses_of(x: Inputs, y: tf.Tensor) -> RowLosses:
        logits = tf.cast(model(x, training=False), tf.float32)
        return row_losses(model.loss, y, average(logits, task.ACTIVATION) if logits.shape.rank == 3 else logits, constants)

    try:
        found = compared(RowLosses(*(part.numpy() for part in losses_of(x, y))) for x, y in eval_batches.dataset)
    except Exception as error:  # noqa: BLE001  # whatever a loss of the user's own raises where all rows have one answer
        _log.warning("Whether the model has learnt is not known, for the loss cannot be taken of one answer for every row: %s", error)
        return None
    if found.has_learnt or not np.isfinite(found.constant):
        return None
    return (
        f"Expected a model that has learnt: on the eval split a `loss` below that of the same answer for every row, {found.constant:.4f}. "
        f"Received: {found.model:.4f}. Nothing is exported. Try another `trainer.learning_rate` than {config.learning_rate:g} or more "
        f"`trainer.epochs` than {config.epochs}, and look whether labels and rows are in step. `trainer.must_learn: false` exports it "
        "nevertheless."
    )
