"""How well a model tells which labels a row has: the share of rows told exactly, and averages over the labels, as one TFMA metric.

for each label count rows that have it, are told it, both, and the buckets of its probabilities -> each label's figures -> their means
"""

from collections.abc import Iterable

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2

from components.calibration import Calibration
from components.metric_names import F1, OF_LABELS
from trainer.problem import Problem
from trainer.tasks.multilabel import THRESHOLD

_MOST_SINGLE = 1000  # labels, of more of which no F1 of each is told
_CELLS = 100_000  # of the histograms of the labels together: the more of them, the coarser
_MOST_BUCKETS = 1000
_LEAST_PROBABILITY = 1e-7  # Keras's, against the logarithm of 0


class MultilabelMetrics(metric_types.Metric):
    """`accuracy`, the share of rows whose set of labels is told exactly; the others are means over the labels that some row has.

    `precision`, `recall`, `f1` at the threshold; `auc`, one label's rows against the others; `pr_auc`, the average precision; `log_loss`,
    the binary cross-entropy, and `calibration`, the expected calibration error, are over all labels. `f1` of each label beside them, under
    its number as TFMA's class id.
    """

    def __init__(self, problem: str, gate: str = "{}", name: str = "multilabel", code: str = "") -> None:
        """Makes the metric.

        Args:
          problem: a Problem of several labels as JSON: labels and predictions are float (labels,).
          gate: for whoever reads the config back.
          name: TFMA's name of the whole.
          code: a digest, for TFX's cache alone.
        """
        del gate, code
        super().__init__(_computations, name=name, problem=problem)


def _computations(
    name: str,
    problem: str,
    eval_config: config_pb2.EvalConfig | None = None,
    model_names: list[str] | None = None,
    output_names: list[str] | None = None,
    example_weighted: bool = False,
) -> list[metric_types.MetricComputation]:
    del name, output_names, example_weighted
    labels = Problem.from_json(problem).task.names
    count = len(labels or ())  # none yet where the config is only looked at
    computations = []
    for model_name in model_names or [""]:
        keys = [metric_types.MetricKey(name=each, model_name=model_name) for each in OF_LABELS]
        if count <= _MOST_SINGLE:
            keys += [metric_types.MetricKey(name=F1, model_name=model_name, sub_key=metric_types.SubKey(class_id=n)) for n in range(count)]
        combiner = _Combiner(keys, count, eval_config)
        computations.append(metric_types.MetricComputation(keys=keys, preprocessors=None, combiner=combiner))
    return computations


class _Counts:
    """What rows add up to; it does not grow with the rows, nor with more than the number of labels.

    Attributes:
      rows, exact: rows, and those whose labels are told exactly.
      told, hits: int64 (labels,), rows that a label is told of, and those of them that have it.
      histogram: int64 (2, labels, buckets), rows without the label and with it by its probability.
      loss: the sum of the binary cross-entropy over rows and labels.
      calibration: of the probabilities of all rows and labels.
    """

    def __init__(self, labels: int, buckets: int) -> None:
        self.rows, self.exact, self.loss = 0, 0, 0.0
        self.told, self.hits = np.zeros(labels, np.int64), np.zeros(labels, np.int64)
        self.histogram = np.zeros((2, labels, buckets), np.int64)
        self.calibration = Calibration()

    def __iadd__(self, other: "_Counts") -> "_Counts":
        self.rows += other.rows
        self.exact += other.exact
        self.loss += other.loss
        self.told += other.told
        self.hits += other.hits
        self.histogram += other.histogram
        self.calibration += other.calibration
        return self


class _Combiner(beam.CombineFn):
    def __init__(self, keys: list[metric_types.MetricKey], labels: int, eval_config: config_pb2.EvalConfig | None) -> None:
        self._keys, self._labels, self._eval_config = keys, labels, eval_config
        self._buckets = max(2, min(_MOST_BUCKETS, _CELLS // max(1, labels)))

    def create_accumulator(self) -> _Counts:
        return _Counts(self._labels, self._buckets)

    def add_input(self, counts: _Counts, element: metric_types.StandardMetricInputs) -> _Counts:
        pairs = metric_util.to_label_prediction_example_weight(
            element, eval_config=self._eval_config, model_name=self._keys[0].model_name, flatten=False, allow_none=True
        )
        for label, prediction, _ in pairs:
            has, probabilities = np.ravel(label) > 0, np.ravel(prediction).astype(np.float64)
            is_told = probabilities > THRESHOLD
            counts.rows += 1
            counts.exact += bool((has == is_told).all())
            counts.told += is_told
            counts.hits += has & is_told
            bucket = np.minimum((probabilities * self._buckets).astype(np.int64), self._buckets - 1)
            counts.histogram[has.astype(np.int64), np.arange(self._labels), bucket] += 1
            counts.calibration.add(probabilities, has)
            right = np.where(has, probabilities, 1 - probabilities)
            counts.loss -= float(np.log(np.maximum(right, _LEAST_PROBABILITY)).sum())
        return counts

    def merge_accumulators(self, accumulators: Iterable[_Counts]) -> _Counts:
        merged = self.create_accumulator()
        for counts in accumulators:
            merged += counts
        return merged

    def extract_output(self, counts: _Counts) -> dict[metric_types.MetricKey, float]:
        if not counts.rows:
            return dict.fromkeys(self._keys, float("nan"))
        without, having = counts.histogram
        actual = having.sum(axis=1)
        precision, recall = _ratio(counts.hits, counts.told), _ratio(counts.hits, actual)
        f1 = _ratio(2 * counts.hits, counts.told + actual)
        each = np.where(actual > 0, f1, np.nan)
        means = [_mean(of_label[actual > 0]) for of_label in (precision, recall, f1)]
        areas = [_mean(area) for area in _areas(having.astype(float), without.astype(float))]
        values = [counts.exact / counts.rows, *means, *areas, counts.loss / (counts.rows * self._labels)]
        values += [counts.calibration.error, *each.tolist()]
        return dict(zip(self._keys, values, strict=False))  # of many labels no figure of each


def _areas(having: np.ndarray, without: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(areas under the ROC curve of the labels that some rows have and some have not, average precisions of those that some have)."""
    positives, negatives = having.sum(axis=1), without.sum(axis=1)
    both = (positives > 0) & (negatives > 0)
    below = np.cumsum(without, axis=1) - without / 2  # equal probabilities count half
    roc = (having * below).sum(axis=1)[both] / (positives * negatives)[both]
    found = np.cumsum(having[:, ::-1], axis=1)  # from the highest probability down
    precision = _ratio(found, found + np.cumsum(without[:, ::-1], axis=1))
    some = positives > 0
    return roc, (precision * having[:, ::-1]).sum(axis=1)[some] / positives[some]


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.zeros(above.shape), where=below > 0)
