"""From which probability on the positive class is answered so that answers and labels correlate best.

rows from the most probable down -> MCC if the line were drawn below each row -> the lines that are as good as the best one -> their middle
"""

from __future__ import annotations

import numpy as np


def best_threshold(probabilities: np.ndarray, labels: np.ndarray) -> float | None:
    """The threshold of the greatest MCC (Matthews's correlation), None where none is better than one answer to all rows.

    A few rows decide which is the very best, so it is the middle one of those that are within a standard error of it.

    Args:
      probabilities: float (rows,), of the positive class.
      labels: int (rows,), 1 for the positive class and 0 for the other.
    """
    order = np.argsort(-probabilities, kind="stable")
    falling, positive = probabilities[order].astype(np.float64), labels[order].astype(np.float64)
    rows, positives = len(order), positive.sum()
    lines = np.flatnonzero(falling[:-1] > falling[1:])  # the places of the rows above them; equal probabilities are answered alike
    if not len(lines) or not 0 < positives < rows:
        return None
    answered, hits = lines + 1.0, np.cumsum(positive)[lines]
    correlation = (hits * rows - answered * positives) / np.sqrt(answered * (rows - answered) * positives * (rows - positives))
    greatest = correlation.max()
    good = lines[correlation >= greatest - (1 - greatest**2) / np.sqrt(rows)]
    middle = good[len(good) // 2]
    return float((falling[middle] + falling[middle + 1]) / 2) if greatest > 0 else None
