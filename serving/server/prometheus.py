"""Counters, gauges and histograms, and the page on which Prometheus reads them.

    Counter / Histogram(name, help, labels).cell(*values) -> add(...), a few hundred ns -> page([...]) -> text

prometheus_client cannot say these metrics as TensorFlow Serving says them: it appends `_total` to a counter's name and sorts the labels.
"""

import abc
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[str, ...]


def exponential(scale: float, growth: float, count: int) -> tuple[float, ...]:
    """The upper bounds of `count` buckets: scale, scale * growth, ...; one more, without a bound, comes after them."""
    return tuple(accumulate(range(count - 1), lambda bound, _: bound * growth, initial=float(scale)))


class CounterCell:
    """One line of a counter."""

    __slots__ = ("_lock", "value")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.value = 0

    def add(self, value: float = 1) -> None:
        """Counts `value` more."""
        with self._lock:
            self.value += value


class HistogramCell:
    """The buckets of one histogram with one set of label values."""

    __slots__ = ("_bounds", "_counts", "_lock", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._lock = threading.Lock()
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float, times: int = 1) -> None:
        """Counts `value` in the first bucket whose bound is not below it."""
        bucket = bisect_left(self._bounds, value)
        with self._lock:
            self._counts[bucket] += times
            self._sum += value * times

    def add_all(self, values: Iterable[float]) -> None:
        """Counts each of the values."""
        with self._lock:
            for value in values:
                self._counts[bisect_left(self._bounds, value)] += 1
                self._sum += value

    def snapshot(self) -> tuple[list[int], float]:
        """How many values each bucket has, and their sum: both of one moment."""
        with self._lock:
            return list(self._counts), self._sum


class _Labelled(abc.ABC):
    """A metric and its cells. Whoever calls `cell` keeps the number of different label values small."""

    kind: str

    def __init__(self, name: str, help: str, labels: Labels = ()) -> None:
        self.name, self.help, self.labels = name, help, labels
        self._cells: dict[Labels, CounterCell | HistogramCell] = {}
        if not labels:
            self.cell()  # it is there, as 0, before anything happens

    def cell(self, *values: str) -> CounterCell | HistogramCell:
        """The cell of these label values, in the order of `labels`; made when it is first asked for."""
        found = self._cells.get(values)
        # setdefault is atomic: two threads that come at once get the same cell.
        return found if found is not None else self._cells.setdefault(values, self._make())

    def lines(self) -> Iterator[str]:
        """The samples, as the page has them."""
        for values, cell in sorted(self._cells.items()):
            yield from self._samples(_joined(self.labels, values), cell)

    @abc.abstractmethod
    def _make(self) -> CounterCell | HistogramCell:
        """A new cell."""

    @abc.abstractmethod
    def _samples(self, labels: str, cell: CounterCell | HistogramCell) -> Iterator[str]:
        """The lines of one cell."""


class Counter(_Labelled):
    """Only goes up."""

    kind = "counter"

    def _make(self) -> CounterCell:
        return CounterCell()

    def _samples(self, labels: str, cell: CounterCell) -> Iterator[str]:
        yield f"{self.name}{{{labels}}} {_number(cell.value)}"


class Histogram(_Labelled):
    """How many values were how large."""

    kind = "histogram"

    def __init__(self, name: str, help: str, labels: Labels = (), *, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        super().__init__(name, help, labels)

    def _make(self) -> HistogramCell:
        return HistogramCell(self._bounds)

    def _samples(self, labels: str, cell: HistogramCell) -> Iterator[str]:
        counts, total = cell.snapshot()
        before = labels + "," if labels else ""
        for bound, below in zip((*map("{:g}".format, self._bounds), "+Inf"), accumulate(counts), strict=True):
            yield f'{self.name}_bucket{{{before}le="{bound}"}} {below}'
        yield f"{self.name}_sum{{{labels}}} {_number(total)}"
        yield f"{self.name}_count{{{labels}}} {sum(counts)}"


class Reading:
    """A gauge or a counter that somebody else keeps: `read` gives label values and number whenever the page is asked for."""

    def __init__(self, kind: str, name: str, help: str, labels: Labels, read: Callable[[], Iterable[tuple[Labels, float]]]) -> None:
        self.kind, self.name, self.help, self.labels = kind, name, help, labels
        self._read = read

    def lines(self) -> Iterator[str]:
        """The samples, as the page has them."""
        for values, number in self._read():
            yield f"{self.name}{{{_joined(self.labels, values)}}} {_number(number)}"


def page(metrics: Iterable[_Labelled | Reading]) -> bytes:
    """Prometheus's text format, a metric after the other by name; to be sent as CONTENT_TYPE."""
    lines = []
    for metric in sorted(metrics, key=lambda metric: metric.name):
        lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}", *metric.lines()]
    return "".join(f"{line}\n" for line in lines).encode()


def _joined(labels: Labels, values: Labels) -> str:
    return ",".join(f'{label}="{_escaped(value)}"' for label, value in zip(labels, values, strict=True))


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
