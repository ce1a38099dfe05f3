"""Whether the Evaluator can compare a new model with a baseline, and the line that says which one it was.

baseline's files -> loaded -> asked for one test row -> answered as the candidate answers? -> None, or what is wrong with it
"""

import os

import numpy as np
import tensorflow as tf
from tfx import types
from tfx.dsl.io import fileio

from components.evaluation import SIGNATURE
from components.served_model import VERSION
from trainer.cause import one_line
from trainer.export import exported_problem
from trainer.problem import Problem


def fault(baseline: str, candidate: str, examples: str, problem: Problem) -> str | None:
    """Why the baseline cannot be compared with the candidate, None where it can.

    Args:
      baseline: the folder of a SavedModel, which may be gone, damaged, or of another number of classes.
      candidate: the folder of the SavedModel that this run has trained.
      examples: the folder of the split's gzipped TFRecords; both models answer its first row.
      problem: what the candidate has learnt.
    """
    if not fileio.isdir(baseline):
        return "its folder is not there"
    row = _first_row(examples)
    output = problem.task.PREDICTIONS
    try:
        theirs = _answer(baseline, row, output)
        learnt = exported_problem(baseline)
    except Exception as error:  # noqa: BLE001 - however a damaged model fails, the new one is measured without it
        return f"it does not answer ({one_line(error)})"
    ours = _answer(candidate, row, output)
    if (theirs.dtype, theirs.shape) != (ours.dtype, ours.shape):
        return f"it answers {_words(theirs)}, and the new model {_words(ours)}"
    if learnt is not None and learnt.label != problem.label:
        return f"it predicts '{learnt.label}', and the new model '{problem.label}'"
    if learnt is not None and learnt.task.names != problem.task.names:
        return "it has other classes, or the same ones in another order"
    return None


def line(baseline: types.Artifact, why_not: str | None) -> str:
    """One line that says which Model artifact was compared with, or why it was left out."""
    version = baseline.get_string_custom_property(VERSION)
    name = f"served version {version}" if version else baseline.uri
    if why_not is None:
        return f"the new model was compared with {name}"
    return f"the baseline {name} was left out: {why_not}. The absolute bounds alone decided."


def _first_row(examples: str) -> tf.Tensor:
    """String (1,), or (0,) where the split has no rows."""
    files = sorted(os.path.join(examples, name) for name in fileio.listdir(examples))
    rows = list(tf.data.TFRecordDataset(files, "GZIP").take(1))
    return tf.constant([row.numpy() for row in rows], tf.string)


def _answer(model: str, row: tf.Tensor, output: str) -> np.ndarray:
    loaded = tf.saved_model.load(model)
    [name] = loaded.signatures[SIGNATURE].structured_input_signature[1]
    return loaded.signatures[SIGNATURE](**{name: row})[output].numpy()


def _words(answer: np.ndarray) -> str:
    return f"{answer.dtype} for {answer.shape[-1]} classes" if answer.ndim > 1 else f"{answer.dtype} of shape {answer.shape}"
