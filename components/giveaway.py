"""Whether one column alone gives the label away: a twin of it, or something that is only known once the label is.

rows in the order of the column's values, equal ones shuffled -> by how much less do neighbours' labels differ than any two rows'?
"""

import dataclasses
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Of the difference of any two rows' labels. In public tables twins have up to 0.02, and the best honest columns 0.2 and more.
_SURE, _UNSURE, _SURE_OF_NUMBERS = 0.05, 0.15, 0.001
_CORRELATION = 0.9995
_LEAST = 5  # pairs that would differ by chance; fewer show nothing
_OFTEN_NEW = 0.5  # share of different texts, from which on those that come back are too few to speak for the column
_GROUP = 4  # rows of a value on average, from which on only rows of one value are compared


@dataclasses.dataclass(frozen=True)
class Values:
    """A column's values.

    Attributes:
      name: the column's.
      values: float64 (rows,), NaN where missing; of texts a number for each different one, as `codes` gives them.
      is_number: whether they are numbers, whose order says something.
      count: how many different ones there are.
      different: the share of the values that are different ones.
    """

    name: str
    values: np.ndarray
    is_number: bool
    count: int
    different: float


class Verdict(NamedTuple):
    """What speaks against a column as a feature.

    Attributes:
      reason: why it is none, a clause for people; else empty.
      doubt: why it may be none, a sentence; else empty.
    """

    reason: str = ""
    doubt: str = ""


def judge(column: Values, label: Values) -> Verdict:
    """What the column says of the label in the same rows; a label that is a number is one to predict."""
    name = f"'{label.name}'"
    if label.is_number and column.is_number and _correlation(column.values, label.values) > _CORRELATION:
        return Verdict(f"gives the label away: nearly a multiple of {name}")
    # Neighbours say nothing of texts, whose numbers are in the file's order, in which the label may be sorted.
    if not column.is_number and column.different > _OFTEN_NEW:
        return Verdict()
    left = _left(column.values, label.values, label.is_number, not column.is_number or column.count * _GROUP <= len(column.values))
    if left is None or left > (_SURE_OF_NUMBERS if label.is_number else _UNSURE):
        return Verdict()
    if left > _SURE:
        return Verdict(doubt=f"'{column.name}' alone says nearly all of {name}: is it known when a prediction is asked for?")
    if not label.is_number and left == 0 and column.count == label.count:
        return Verdict(f"gives the label away: each value stands for one of {name}")
    return Verdict(f"gives the label away: {name} {'never' if left == 0 else 'hardly ever'} differs where it is alike")


def codes(values: pa.Array) -> np.ndarray:
    """float64, a number for each different value, NaN where missing."""
    return pc.fill_null(values.dictionary_encode().indices.cast(pa.float64()), float("nan")).to_numpy(zero_copy_only=False)


def _left(given: np.ndarray, target: np.ndarray, is_number: bool, grouped: bool) -> float | None:
    """The difference of neighbours' labels as a share of that of any two rows'; None where it would show nothing."""
    shuffled = np.random.default_rng(0).permutation(len(given))
    order = shuffled[np.argsort(given[shuffled], kind="stable")]
    given, target = given[order], target[order]
    same = (given[1:] == given[:-1]) | (np.isnan(given[1:]) & np.isnan(given[:-1]))
    pairs = same if grouped else np.ones(len(same), bool)
    if is_number:
        expected, found = 2 * target.var(), np.square(np.diff(target))[pairs]
    else:
        shares = np.unique(target, return_counts=True)[1] / len(target)
        expected, found = 1 - np.square(shares).sum(), (target[1:] != target[:-1])[pairs]
    if not len(found) or expected == 0 or (not is_number and expected * len(found) < _LEAST):
        return None
    return float(found.mean() / expected)


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < 2 * _LEAST or one[both].std() == 0 or other[both].std() == 0:
        return 0.0
    return abs(float(np.corrcoef(one[both], other[both])[0, 1]))
