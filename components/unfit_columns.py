"""Features that a model should not be given, in the rows that it is about to learn from, whoever has named them.

the first rows of the train split, parsed at once -> each number, category and time beside the label
-> always one value, another one in each row, or the label in other words: a warning each
"""

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import tensorflow as tf

from components import giveaway
from components.anomaly import Anomaly
from components.example_rows import records
from components.giveaway import Values
from trainer.features import RAW_DTYPES
from trainer.features.time import MISSING
from trainer.problem import Problem

_ROWS = 10_000  # which show as much as more of them
_LEAST = 20  # rows from which anything follows
_UNIQUE = 0.99  # share of different values, from which on a category is an identifier
_KINDS = ("number", "category", "time")
_LABEL_TYPES = {"string": tf.string, "int": tf.int64, "float": tf.float32}


def anomalies(split_uri: str, split: str, problem: Problem) -> Iterator[Anomaly]:
    """One for each such feature of the rows in the folder of the split.

    Args:
      split_uri: the folder of its rows.
      split: its name.
      problem: which features the model is given, and which label.
    """
    label_type = _LABEL_TYPES.get(problem.task.raw_type)  # None where a row has several labels, which no column is a twin of
    features = {name: tf.as_dtype(RAW_DTYPES[kind]) for name, kind in problem.features.items() if kind in _KINDS}
    rows = list(itertools.islice(records(split_uri), _ROWS)) if features else []
    if len(rows) < _LEAST:
        return
    read = features | ({problem.label: label_type} if label_type else {})
    parsed = tf.io.parse_example(rows, {name: tf.io.VarLenFeature(kind) for name, kind in read.items()})
    label = _values(problem.label, parsed[problem.label], problem.task.PREDICTIONS == "values") if label_type else None
    for name, kind in features.items():
        column = _values(name, parsed[name], kind != tf.string)
        if column.count == 1 and not np.isnan(column.values).any():
            yield _anomaly(name, split, "constant", f"it has the same value in all of {len(rows):,} rows, which says nothing", len(rows))
        elif not column.is_number and column.different >= _UNIQUE and column.count > 1:
            text = f"it is an identifier: {column.count:,} different values in {len(rows):,} rows"
            yield _anomaly(name, split, "identifier", text, len(rows))
        elif label and (reason := giveaway.judge(column, label).reason):
            yield _anomaly(name, split, "giveaway", f"it {reason}", len(rows))


def _anomaly(name: str, split: str, kind: str, said: str, rows: int) -> Anomaly:
    text = f"{name}: {said}, in {split}. Take it out of `features`, unless it is known and helps when a prediction is asked for"
    return Anomaly(name, split, kind, text, rows, severity="warn")


def _values(name: str, parsed: tf.SparseTensor, is_number: bool) -> Values:
    """The first value of each row."""
    rows, places = parsed.indices[:, 0].numpy(), parsed.indices[:, 1].numpy()
    first = places == 0
    given = parsed.values.numpy()[first]
    if given.dtype == object:
        given = giveaway.codes(pa.array(given, pa.binary(), mask=given == b""))
    values = np.full(int(parsed.dense_shape[0]), math.nan)
    values[rows[first]] = np.where(given == MISSING, math.nan, given) if given.dtype == np.int64 else given
    known = values[np.isfinite(values)]
    count = len(np.unique(known))
    return Values(name, values, is_number, count, count / max(1, len(known)))
