"""The rows of a split with their labels as the task compares them, a batch at a time."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from tfx.dsl.io import fileio

from trainer.features import names
from trainer.problem import LABEL_SIGNATURE, Problem

_BATCH = 4096


def rows(folder: str) -> Iterator[tf.Tensor]:
    """Serialized tf.Examples, string (n,), of the folder's gzipped TFRecords, in the order of the files' names."""
    files = sorted(os.path.join(folder, name) for name in fileio.listdir(folder))
    yield from tf.data.TFRecordDataset(files, "GZIP").batch(_BATCH)


def labels(problem: Problem, model: Any) -> Callable[[tf.Tensor], np.ndarray]:
    """What gives the labels of serialized tf.Examples, string (n,).

    Numbers of classes are int64 (n,), -1 for a class that the train split does not have; several labels float32 (n, labels), 1 where a row
    has one; numbers float64 (n,), NaN where there is none.

    Args:
      problem: what was learnt, a number or named labels.
      model: the loaded SavedModel, which says what a name's number is.
    """
    if problem.label_signatures:
        number = model.signatures[LABEL_SIGNATURE]
        return lambda examples: number(examples=examples)[names.LABEL].numpy()
    spec = {problem.label: tf.io.FixedLenFeature([], tf.float32, float("nan"))}
    return lambda examples: tf.io.parse_example(examples, spec)[problem.label].numpy().astype(np.float64)
