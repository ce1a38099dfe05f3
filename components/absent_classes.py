"""Which classes a model cannot have learned: those without a row in the train split.

The statistics do not tell: their histograms of a number are approximate.
"""

import os

import numpy as np
import tensorflow as tf
from tfx.dsl.io import fileio

from trainer.problem import Problem

_BATCH = 4096
_MOST_NAMED = 10


def line(examples: str, problem: Problem) -> str | None:
    """One line that names the classes without rows in the folder's gzipped TFRecords, None where all have some."""
    if problem.task.raw_type != "int":
        return None  # numbers; or named classes, which are those of the train split
    files = sorted(os.path.join(examples, name) for name in fileio.listdir(examples))
    seen = np.zeros(problem.task.outputs, bool)
    label = {problem.label: tf.io.FixedLenFeature([], tf.int64)}
    for rows in tf.data.TFRecordDataset(files, "GZIP").batch(_BATCH):
        seen[tf.io.parse_example(rows, label)[problem.label].numpy()] = True
    absent = np.flatnonzero(~seen).tolist()
    if not absent:
        return None
    more = f" and {len(absent) - _MOST_NAMED:,} more" if len(absent) > _MOST_NAMED else ""
    names = f"{'class' if len(absent) == 1 else 'classes'} {', '.join(map(str, absent[:_MOST_NAMED]))}{more}"
    return f"the train split has no rows of {names}: the model cannot have learned {'it' if len(absent) == 1 else 'them'}."
