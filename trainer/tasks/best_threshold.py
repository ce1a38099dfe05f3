"""From which probability on the positive class is answered so that answers and labels correlate best.

rows from the most probable down -> the hits and the answers if the line were drawn below each row -> MCC of each -> the best one's middle
"""

from __future__ import annotations

import numpy as np


def best_threshold(probabilities: np.ndarray, labels: np.ndarray) -> float | None:
    """The threshold of the greatest MCC (Matthews's correlation), None where no threshold is better than one answer to all rows.

    Args:
      probabilities: float (rows,), of the positive class.
      labels: int (rows,), 1 for the positive class and 0 for the other.
    """
    order = np.argsort(-probabilities, kind="stable")
    sorted_, positive = probabilities[order].astype(np.float64), labels[order].astype(np.float64)
    rows, positives = len(order), positive.sum()
    cuts = np.flatnonzero(sorted_[:-1] > sorted_[1:])  # rows of one probability are answered alike
    if not len(cuts) or not 0 < positives < rows:
        return None
    answered, hits = cuts + 1.0, np.cumsum(positive)[cuts]
    correlation = (hits * rows - answered * positives) / np.sqrt(answered * (rows - answered) * positives * (rows - positives))
    best = cuts[np.argmax(correlation)]
    return float((sorted_[best] + sorted_[best + 1]) / 2) if correlation.max() > 0 else None
