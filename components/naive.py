"""What somebody reaches who has never seen a feature: the bound that every model of columns must keep.

labels of the train split -> how often each class or label is, or the mean -> that answer to every test row -> its log loss, or its RMSE
"""

import math
import os
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from tfx.dsl.io import fileio

from components.config import BoundConfig
from trainer.features import names
from trainer.problem import LABEL_SIGNATURE, Problem
from trainer.tasks import Multilabel, Regression

_BATCH = 4096
_LEAST_PROBABILITY = 1e-7


def bound(problem: Problem, model: str, train: str, test: str) -> BoundConfig | None:
    """The bound for a model of `problem`, whose classes are known; None for problems without named labels, or without test rows.

    Args:
      problem: what was learnt.
      model: the folder of the SavedModel, which says what a label's number is.
      train: the folder of the train split's gzipped TFRecords of raw tf.Examples.
      test: that of the test split.
    """
    if isinstance(problem.task, Regression):
        learnt, asked = (np.concatenate([np.zeros(0), *_numbers(folder, problem.label)]) for folder in (train, test))
        learnt, asked = (values[np.isfinite(values)] for values in (learnt, asked))
        return BoundConfig(metric="rmse", max=math.sqrt(float(np.mean((asked - learnt.mean()) ** 2)))) if len(asked) else None
    if not problem.label_signatures:
        return None
    number = tf.saved_model.load(model).signatures[LABEL_SIGNATURE]
    if isinstance(problem.task, Multilabel):
        learnt, asked = (_shares(number(examples=rows)[names.LABEL].numpy() for rows in _rows(folder)) for folder in (train, test))
        return None if asked is None or learnt is None else BoundConfig(metric="log_loss", max=_cross_entropy(asked, learnt))
    learnt, asked = (
        np.concatenate([np.zeros(0, np.int64), *(number(examples=rows)[names.LABEL].numpy() for rows in _rows(folder))])
        for folder in (train, test)
    )
    shares = np.bincount(learnt[learnt >= 0], minlength=problem.task.outputs) / max(1, int((learnt >= 0).sum()))
    own = np.where(asked >= 0, shares[np.maximum(asked, 0)], 0.0)
    loss = -np.log(np.maximum(own, _LEAST_PROBABILITY))
    return BoundConfig(metric="log_loss", max=float(loss.mean())) if len(asked) else None


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


def words(naive: BoundConfig) -> str:
    """Where the bound comes from, for the gate's table."""
    return " (the train split's mean for every row)" if naive.metric == "rmse" else " (the train split's class shares for every row)"


def _rows(folder: str) -> Iterator[tf.Tensor]:
    files = sorted(os.path.join(folder, name) for name in fileio.listdir(folder))
    yield from tf.data.TFRecordDataset(files, "GZIP").batch(_BATCH)


def _numbers(folder: str, label: str) -> Iterator[np.ndarray]:
    spec = {label: tf.io.FixedLenFeature([], tf.float32, float("nan"))}
    for rows in _rows(folder):
        yield tf.io.parse_example(rows, spec)[label].numpy().astype(np.float64)
