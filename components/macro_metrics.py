"""Precision, recall, F1 and AUC, averaged over the classes, and the mean loss, as one TFMA metric.

TFMA's own way, `binarize` with an aggregation, calls Python for every row, class, slice and metric: measured on 10,000 rows of
10 classes it takes most of the Evaluator's time (docs/adr/0008). Here a row is one NumPy update for all of them.

count (actual, predicted) pairs and a histogram of each class's probabilities -> the four averages
"""

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2

NAMES = ("precision", "recall", "f1", "auc", "loss")
_CELLS = 100_000  # of the histograms of one slice
_MOST_BUCKETS = 1000
_LEAST_PROBABILITY = 1e-7  # Keras's, against the logarithm of 0


class MacroMetrics(metric_types.Metric):
    """`precision`, `recall`, `f1` of the most probable class and one-vs-rest `auc`, each the mean over the classes with rows; `loss`."""

    def __init__(self, classes: int, name: str = "macro", code: str = "") -> None:
        """Makes the metric for labels 0 to `classes` - 1 and predictions float32 (classes,); `code` is for TFX's cache alone."""
        del code
        super().__init__(_computations, name=name, classes=classes)


def _computations(
    classes: int,
    name: str,
    eval_config: config_pb2.EvalConfig | None = None,
    model_names: list[str] | None = None,
    output_names: list[str] | None = None,
    example_weighted: bool = False,
) -> list[metric_types.MetricComputation]:
    del name, output_names, example_weighted
    computations = []
    for model_name in model_names or [""]:
        keys = [metric_types.MetricKey(name=each, model_name=model_name) for each in NAMES]
        computations.append(metric_types.MetricComputation(keys=keys, preprocessors=None, combiner=_Combiner(keys, classes, eval_config)))
    return computations


class _Counts:
    """What rows add up to.

    Attributes:
      confusion: int64 (classes, classes) by [actual, predicted].
      histogram: int64 (2, classes, buckets) of the probability of each class, among the rows of other classes (0) and its own (1).
      loss: the sum of the rows' cross-entropy.
    """

    def __init__(self, classes: int, buckets: int) -> None:
        self.confusion = np.zeros((classes, classes), np.int64)
        self.histogram = np.zeros((2, classes, buckets), np.int64)
        self.loss = 0.0

    def __iadd__(self, other: "_Counts") -> "_Counts":
        self.confusion += other.confusion
        self.histogram += other.histogram
        self.loss += other.loss
        return self


class _Combiner(beam.CombineFn):
    def __init__(self, keys: list[metric_types.MetricKey], classes: int, eval_config: config_pb2.EvalConfig | None) -> None:
        self._keys, self._classes, self._eval_config = keys, classes, eval_config
        self._buckets = max(2, min(_MOST_BUCKETS, _CELLS // classes))
        self._every_class = np.arange(classes)

    def create_accumulator(self) -> _Counts:
        return _Counts(self._classes, self._buckets)

    def add_input(self, counts: _Counts, element: metric_types.StandardMetricInputs) -> _Counts:
        for label, probabilities in self._rows(element):
            bucket = np.minimum((probabilities * self._buckets).astype(np.int64), self._buckets - 1)
            counts.histogram[0, self._every_class, bucket] += 1
            counts.histogram[0, label, bucket[label]] -= 1
            counts.histogram[1, label, bucket[label]] += 1
            counts.confusion[label, np.argmax(probabilities)] += 1
            counts.loss -= float(np.log(max(probabilities[label] / probabilities.sum(), _LEAST_PROBABILITY)))
        return counts

    def _rows(self, element: metric_types.StandardMetricInputs) -> Iterator[tuple[int, np.ndarray]]:
        pairs = metric_util.to_label_prediction_example_weight(
            element, eval_config=self._eval_config, model_name=self._keys[0].model_name, flatten=False, allow_none=True
        )
        for label, probabilities, _ in pairs:
            yield int(label.item()), probabilities

    def merge_accumulators(self, accumulators: Iterable[_Counts]) -> _Counts:
        merged = self.create_accumulator()
        for counts in accumulators:
            merged += counts
        return merged

    def extract_output(self, counts: _Counts) -> dict[metric_types.MetricKey, float]:
        rows = int(counts.confusion.sum())
        loss = counts.loss / rows if rows else float("nan")
        return dict(zip(self._keys, (*averages(counts.confusion, counts.histogram), loss), strict=True))


def averages(confusion: np.ndarray, histogram: np.ndarray) -> tuple[float, float, float, float]:
    """Macro precision, recall, F1 and AUC over the classes with rows; NaN for AUC where only one class has rows.

    Args:
      confusion: int (classes, classes), rows by [actual, predicted].
      histogram: int (2, classes, buckets), rows by [is of the class, class, its probability's bucket].
    """
    present = confusion.sum(axis=1) > 0
    hits = np.diag(confusion).astype(float)
    precision = _ratio(hits, confusion.sum(axis=0))
    recall = _ratio(hits, confusion.sum(axis=1))
    f1 = _ratio(2 * precision * recall, precision + recall)
    means = [float(values[present].mean()) if present.any() else float("nan") for values in (precision, recall, f1)]
    return means[0], means[1], means[2], _macro_auc(histogram)


def _macro_auc(histogram: np.ndarray) -> float:
    """The chance that a row of the class gets a higher probability than another row (ties count half), averaged."""
    others, own = histogram.astype(float)
    below = np.cumsum(others, axis=1) - others / 2
    pairs = own.sum(axis=1) * others.sum(axis=1)
    defined = pairs > 0
    return float(((own * below).sum(axis=1)[defined] / pairs[defined]).mean()) if defined.any() else float("nan")


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.zeros(len(above)), where=below > 0)
