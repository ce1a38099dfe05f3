"""When each request is due: an open loop sends by the clock, not when the last answer came, so that waiting is counted."""

import numpy as np


def due_times(rate: float, duration: float, arrivals: str, seed: int) -> np.ndarray:
    """float64 (N,): seconds from the start, increasing, all before `duration`. `arrivals`: poisson (random gaps) or constant."""
    if arrivals == "constant":
        return np.arange(0.0, duration, 1.0 / rate)
    gaps = np.random.default_rng(seed).exponential(1.0 / rate, int(rate * duration * 1.5) + 100)
    times = np.cumsum(gaps)
    return times[times < duration]
