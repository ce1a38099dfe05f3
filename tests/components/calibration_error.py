"""The expected calibration error written once more, the slow way, for the tests."""

import numpy as np


def calibration_error(probabilities, hits, bins=15):
    """Of predictions, float (n,), and whether each came true, (n,)."""
    off = 0.0
    for low, high in zip(np.arange(bins) / bins, np.arange(1, bins + 1) / bins, strict=True):
        own = (probabilities >= low) & ((probabilities < high) | (high == 1))
        if own.any():
            off += own.mean() * abs(probabilities[own].mean() - hits[own].mean())
    return off
