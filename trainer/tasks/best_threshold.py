"""From which probability on the positive class is answered so that answers and labels correlate best.

rows from the most probable down -> how probable a curve through all labels makes each of them -> MCC to be expected of a line below each
    row -> the best line
"""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression


def best_threshold(probabilities: np.ndarray, labels: np.ndarray) -> float | None:
    """The threshold of the greatest MCC (Matthews's correlation), None where none is better than one answer to all rows.

    If labels were counted on both sides of each line, a few rows would decide. So the probabilities are calibrated first, with the three
    weights of beta calibration (Kull et al., 2017), and MCC is what they lead to expect.

    Args:
      probabilities: float (rows,), of the positive class.
      labels: int (rows,), 1 for the positive class and 0 for the other.
    """
    order = np.argsort(-probabilities, kind="stable")
    falling, labels = probabilities[order].astype(np.float64), labels[order]
    lines = np.flatnonzero(falling[:-1] > falling[1:])  # the places of the rows above them; equal probabilities are answered alike
    rows = len(order)
    if not len(lines) or not 0 < labels.sum() < rows:
        return None
    least = 0.5 / rows  # so many rows say nothing of smaller ones, whose logarithms would bend the curve
    clipped = np.clip(falling, least, 1 - least)
    logarithms = np.stack([np.log(clipped), -np.log(1 - clipped)], axis=1)
    positive = LogisticRegression().fit(logarithms, labels).predict_proba(logarithms)[:, 1]
    positives, answered, hits = positive.sum(), lines + 1.0, np.cumsum(positive)[lines]
    correlation = (hits * rows - answered * positives) / np.sqrt(answered * (rows - answered) * positives * (rows - positives))
    best = correlation.argmax()
    return float((falling[lines[best]] + falling[lines[best] + 1]) / 2) if correlation[best] > 0 else None
