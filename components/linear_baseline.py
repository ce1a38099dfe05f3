"""What a linear model reaches that is fitted in the same run: the bound that says whether a larger model is worth its while.

a sample of the train split -> transform graph -> linear model          every test row: its loss less the linear model's, in pairs
-> the linear model's loss, and as much more as chance may account for, is the bound
"""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from components.config import BoundConfig
from components.evaluation import SIGNATURE
from components.floor import Floor
from components.labelled_rows import labels, rows
from components.linear_model import LinearModel, Transformed
from trainer.problem import Problem
from trainer.tasks import Multilabel, Regression

_MOST_ROWS = 50_000  # of the train split, to fit by
_MOST_TEXTS = 10_000  # where a row has hundreds of n-grams
_MOST_VALUES = 10_000_000  # features times rows
_MOST_OUTPUTS = 200  # of more classes or labels it would take minutes
_STANDARD_ERRORS = 2.0
_LEAST_PROBABILITY = 1e-7


def floor(problem: Problem, model: Any, train: str, test: str, naive: BoundConfig) -> Floor | None:
    """The bound for `model`; None where it is given pictures, has too many classes, or too few test rows.

    Args:
      problem: what was learnt, with its classes.
      model: the loaded SavedModel. One that was not exported by the project does not say what its features are.
      train: the folder of the train split's gzipped TFRecords of raw tf.Examples.
      test: that of the test split.
      naive: the bound of `components.naive`.
    """
    transform = getattr(model, "transform_examples", None)
    if transform is None or "image" in problem.features.values() or problem.task.outputs > _MOST_OUTPUTS:
        return None
    read = labels(problem, model)
    given = sample(rows(train), _rows_to_fit(problem))
    linear = LinearModel(problem, _transformed(transform, given), read(given))
    predict, [argument] = model.signatures[SIGNATURE], model.signatures[SIGNATURE].structured_input_signature[1]
    own, other = [], []
    for batch in rows(test):
        asked = read(batch)
        answers = predict(**{argument: batch})[problem.task.PREDICTIONS].numpy()
        own.append(_losses(problem, asked, answers.astype(np.float64)))
        other.append(_losses(problem, asked, linear(_transformed(transform, batch))))
    own_losses, other_losses = (np.concatenate([np.zeros(0), *losses]) for losses in (own, other))
    known = np.isfinite(other_losses)
    return compared(own_losses[known], other_losses[known], naive)


def compared(own: np.ndarray, linear: np.ndarray, naive: BoundConfig) -> Floor | None:
    """The bound from the losses of the same test rows, float64 (rows,) each: log losses, or squares where `naive` is of `rmse`."""
    if len(own) < 2:
        return None
    difference = float((own - linear).mean())
    chance = _STANDARD_ERRORS * float((own - linear).std(ddof=1)) / math.sqrt(len(own))
    metric, scale = ("rmse", math.sqrt) if naive.metric == "rmse" else ("log_loss", float)
    reached, limit, of_model = (scale(loss) for loss in (linear.mean(), linear.mean() + chance, own.mean()))
    note = (
        f"a linear model does as well: its {metric} is {reached:.4f} on the test rows, and the model's {of_model:.4f}."
        if 0 <= difference <= chance and reached < (naive.max or 0.0)
        else None
    )
    return Floor(BoundConfig(metric=metric, max=limit), f" (a linear model's {reached:.4f}, and {limit - reached:.4f} for chance)", note)


def sample(batches: Iterable[tf.Tensor], most: int) -> tf.Tensor:
    """At most so many rows, string (n,), of all batches in their order; which ones depends on their places alone."""
    random = np.random.default_rng(0)
    kept, keys = np.zeros(0, object), np.zeros(0)
    for batch in batches:
        kept, keys = np.concatenate([kept, batch.numpy()]), np.concatenate([keys, random.random(len(batch))])
        if len(keys) > most:
            lowest = np.sort(np.argpartition(keys, most)[:most])
            kept, keys = kept[lowest], keys[lowest]
    return tf.constant(kept.tolist(), tf.string)


def _rows_to_fit(problem: Problem) -> int:
    most = _MOST_TEXTS if "text" in problem.features.values() else _MOST_ROWS
    return max(1000, min(most, _MOST_VALUES // len(problem.features)))


def _transformed(transform: Any, examples: tf.Tensor, at_once: int = 4096) -> Transformed:
    parts = [transform(examples[start : start + at_once]) for start in range(0, max(1, len(examples)), at_once)]
    return {name: np.concatenate([part[name].numpy() for part in parts]) for name in parts[0]}


def _losses(problem: Problem, labels: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """float64 (rows,), whose mean the gate bounds: squared errors, NaN without a label, or the log loss."""
    if isinstance(problem.task, Regression):
        return (answers - labels) ** 2
    if isinstance(problem.task, Multilabel):
        right = np.where(labels > 0, answers, 1 - answers)
        return -np.log(np.maximum(right, _LEAST_PROBABILITY)).mean(axis=1)
    own = np.take_along_axis(answers, np.maximum(labels, 0)[:, np.newaxis], axis=1)[:, 0] / answers.sum(axis=1)
    return -np.log(np.maximum(np.where(labels >= 0, own, 0.0), _LEAST_PROBABILITY))
