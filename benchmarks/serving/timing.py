"""How long calls take, one after the other."""

import itertools
import time
from collections.abc import Callable

_WARM_UP = 20


def latencies(call: Callable[[], object], calls: int) -> list[float]:
    """Seconds of each of `calls` calls, a few before them left out."""
    for _ in range(_WARM_UP):
        call()
    moments = [time.perf_counter()]
    for _ in range(calls):
        call()
        moments.append(time.perf_counter())
    return [end - start for start, end in itertools.pairwise(moments)]


def rate(call: Callable[[], object], seconds: float) -> float:
    """Calls a second, over so many seconds."""
    call()
    started, done = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        call()
        done += 1
    return done / (time.perf_counter() - started)


def percentile(values: list[float], share: float) -> float:
    """The value that `share` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
