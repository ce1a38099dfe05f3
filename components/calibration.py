"""How far probabilities are from the shares that come true: the expected calibration error, as whoever adds up rows needs it.

probabilities in bins of equal width -> of each bin the mean probability less the share of hits -> the mean of these distances over the rows
"""

import numpy as np

_BINS = 15  # as in Guo et al., On Calibration of Modern Neural Networks (2017)


class Calibration:
    """What rows add up to."""

    def __init__(self) -> None:
        self._sums = np.zeros((3, _BINS))  # of probabilities, of hits, of predictions by bin

    def add(self, probabilities: np.ndarray, hits: np.ndarray) -> None:
        """Predictions, float (n,), and whether each came true, bool (n,)."""
        probabilities = np.asarray(probabilities, np.float64)
        place = np.clip((probabilities * _BINS).astype(np.int64), 0, _BINS - 1)
        for row, values in enumerate((probabilities, hits, np.ones(len(place)))):
            np.add.at(self._sums[row], place, values)

    def __iadd__(self, other: "Calibration") -> "Calibration":
        self._sums += other._sums
        return self

    @property
    def error(self) -> float:
        """From 0 at best to 1; NaN without predictions."""
        told, came_true, predictions = self._sums
        rows = predictions.sum()
        return float(np.abs(told - came_true).sum() / rows) if rows else float("nan")
