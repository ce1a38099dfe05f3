"""How much each class counts in the answer, so that rare classes are answered where that pays and only there.

probabilities of the eval split -> for each exponent from 0 to 1, the class whose probability times its weight to that power is greatest
    -> the macro F1 to be expected if the probabilities are right -> the exponent of the best
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_EXPONENTS = np.linspace(0.0, 1.0, 21)


def answer_weights(probabilities: np.ndarray, weights: Sequence[float]) -> tuple[float, ...]:
    """The weight of each class, by which its probability is multiplied before the greatest is answered.

    With an exponent of 0 the most probable class is answered, with 1 what `weights` ask for: of a model that is not sure, rows of frequent
    classes then mostly get the name of a rare one. Labels are not counted, for the few rare ones of an eval split would decide by chance.

    Args:
      probabilities: float (rows, classes), of the eval split, each row's sum 1.
      weights: the class weights.
    """
    expected = probabilities.sum(0, dtype=np.float64)
    return max(
        (tuple((np.asarray(weights) ** exponent).tolist()) for exponent in _EXPONENTS),
        key=lambda tried: _expected_f1(probabilities, expected, np.asarray(tried)),
    )


def _expected_f1(probabilities: np.ndarray, expected: np.ndarray, weights: np.ndarray) -> float:
    """Macro F1 where each row is of each class with its probability; `expected` is the number of rows of each."""
    answers = (probabilities * weights).argmax(axis=1)
    classes = len(expected)
    right = np.bincount(answers, probabilities[np.arange(len(answers)), answers], minlength=classes)
    return float(np.mean(2 * right / np.maximum(np.bincount(answers, minlength=classes) + expected, 1e-9)))
