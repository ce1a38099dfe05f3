"""What somebody reaches who has never seen a feature: the bound that every model of columns must keep.

labels of the train split -> how often each class or label is, or the mean -> that answer to every test row -> its log loss, or its RMSE
classes whose answers `threshold: auto` has weighed -> the macro F1 of answers that know no row
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from components.config import BoundConfig
from components.floor import Floor
from components.labelled_rows import labels, rows
from trainer.problem import Problem
from trainer.tasks import Multilabel, Regression

_LEAST_PROBABILITY = 1e-7


def floor(problem: Problem, model: Any, train: str, test: str) -> Floor | None:
    """The bound for a model of `problem`, whose classes are known; None where the test split has no rows.

    Args:
      problem: what was learnt, a number or named labels.
      model: the loaded SavedModel, which says what a label's number is.
      train: the folder of the train split's gzipped TFRecords of raw tf.Examples.
      test: that of the test split.
    """
    learnt, asked = ((labels(problem, model)(batch) for batch in rows(folder)) for folder in (train, test))
    if isinstance(problem.task, Regression):
        return _of_numbers(_finite(learnt), _finite(asked))
    if isinstance(problem.task, Multilabel):
        return _of_loss(_of_labels(learnt, asked))
    of_test = np.concatenate([np.zeros(0, np.int64), *asked])
    if problem.task.answer_weights is not None and (there := len(np.unique(of_test[of_test >= 0]))) > 1:
        return _of_answers(there)
    return _of_loss(_of_classes(learnt, of_test, problem.task.outputs))


def _of_loss(loss: float | None) -> Floor | None:
    return None if loss is None else Floor(BoundConfig(metric="log_loss", max=loss), " (the train split's class shares for every row)")


def _of_answers(classes: int) -> Floor:
    """The bound where rare classes are to be answered: the log loss is nearly all of the frequent class, and hardly knows of them.

    Whoever answers a class in a share a of all rows, of which it has a share s, has precision s, recall a and F1 2as / (a + s). The mean
    over the classes is the greatest where each a is s: then it is the mean of the shares, whatever they are.
    """
    return Floor(BoundConfig(metric="f1", min=1 / classes), " (the most to be expected of answers that know no row)")


def _of_numbers(learnt: np.ndarray, asked: np.ndarray) -> Floor | None:
    if not len(asked):
        return None
    rmse = math.sqrt(float(np.mean((asked - learnt.mean()) ** 2)))
    return Floor(BoundConfig(metric="rmse", max=rmse), " (the train split's mean for every row)")


def _finite(batches: Iterator[np.ndarray]) -> np.ndarray:
    values = np.concatenate([np.zeros(0), *batches])
    return values[np.isfinite(values)]


def _of_classes(learnt: Iterator[np.ndarray], of_test: np.ndarray, classes: int) -> float | None:
    of_train = np.concatenate([np.zeros(0, np.int64), *learnt])
    shares = np.bincount(of_train[of_train >= 0], minlength=classes) / max(1, int((of_train >= 0).sum()))
    own = np.where(of_test >= 0, shares[np.maximum(of_test, 0)], 0.0)
    return float(-np.log(np.maximum(own, _LEAST_PROBABILITY)).mean()) if len(of_test) else None


def _of_labels(learnt: Iterator[np.ndarray], asked: Iterator[np.ndarray]) -> float | None:
    of_train, of_test = _shares(learnt), _shares(asked)
    return None if of_train is None or of_test is None else _cross_entropy(of_test, of_train)


def _shares(labels: Iterator[np.ndarray]) -> np.ndarray | None:
    """float64 (labels,), the share of the rows that have each, of batches (rows, labels) of 0 and 1; None where there are no rows."""
    rows, having = 0, np.zeros(1)
    for batch in labels:
        rows, having = rows + len(batch), having + batch.sum(axis=0, dtype=np.float64)
    return having / rows if rows else None


def _cross_entropy(shares: np.ndarray, answered: np.ndarray) -> float:
    """Of rows with these shares of the labels, (labels,), that are all answered the same probabilities, the mean over rows and labels."""
    yes, no = np.maximum(answered, _LEAST_PROBABILITY), np.maximum(1 - answered, _LEAST_PROBABILITY)
    return float(-(shares * np.log(yes) + (1 - shares) * np.log(no)).mean())
