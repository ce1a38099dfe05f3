"""What is measured of a model of classes, as one TFMA metric: of the classes that it answers, and of their probabilities.

Accuracy, the confusion matrix, precision, recall, F1, MCC and classes below their bounds are of the served `classes`, which a threshold or
weights may decide; areas, the mean loss and calibration are of the probabilities.

TFMA's own way, `binarize` with an aggregation, calls Python for every row, class, slice and metric: measured on 10,000 rows of
10 classes it takes most of the Evaluator's time (docs/adr/0008). Here a row is one NumPy update for all of them.

count the (actual, answered) pairs and the buckets of probabilities that occur -> the averages, and which classes went too badly
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2, metrics_for_slice_pb2

from components.calibration import Calibration
from components.config import EvaluatorConfig
from components.evaluation import MISSED_CLASSES, class_bounds
from components.metric_names import OF_CLASSES
from trainer.problem import Problem

CONFUSIONS = "confusion_matrix"  # the plot that has the pairs
_ANSWER = "classes"  # the served output that is a row's class
_CELLS = 100_000  # of the histograms of the classes together: the more of them, the coarser
_MOST_BUCKETS = 1000
_LEAST_PROBABILITY = 1e-7  # Keras's, against the logarithm of 0


class MacroMetrics(metric_types.Metric):
    """`precision`, `recall`, `f1` of the answered class and one-vs-rest `auc`, each the mean over the classes with rows; `loss`.

    `calibration` is the expected calibration error.

    Where the gate has bounds of single classes also MISSED_CLASSES, the number of classes that do not reach theirs.
    """

    def __init__(self, problem: str, gate: str = "{}", name: str = MISSED_CLASSES, code: str = "") -> None:
        """Makes the metric.

        Args:
          problem: a Problem of classes as JSON: labels are 0 to `classes` - 1, predictions float32 (classes,).
          gate: an EvaluatorConfig as JSON.
          name: TFMA's name of it, by which it finds the metric that a threshold is for: MISSED_CLASSES is the one that has one.
          code: a digest, for TFX's cache alone.
        """
        del code
        super().__init__(_computations, name=name, problem=problem, gate=gate)


def _computations(
    problem: str,
    gate: str,
    name: str,
    eval_config: config_pb2.EvalConfig | None = None,
    model_names: list[str] | None = None,
    output_names: list[str] | None = None,
    example_weighted: bool = False,
) -> list[metric_types.MetricComputation]:
    del output_names, example_weighted
    learnt = Problem.from_json(problem)
    bounds = class_bounds(EvaluatorConfig.from_json(gate), learnt)
    names = (*OF_CLASSES, name) if bounds else OF_CLASSES
    computations = []
    for model_name in model_names or [""]:
        keys = [metric_types.MetricKey(name=each, model_name=model_name) for each in names]
        plot = metric_types.PlotKey(name=CONFUSIONS, model_name=model_name)
        combiner = _Combiner([*keys, plot], learnt, bounds, eval_config)
        computations.append(metric_types.MetricComputation(keys=[*keys, plot], preprocessors=None, combiner=combiner))
    return computations


class _Counts:
    """What rows add up to: what was seen alone, so that few rows are small however many classes there are.

    Attributes:
      pairs: rows by (actual, answered).
      histogram: rows by (class, bucket of its probability, whether it is the row's own class); bucket 0, which most of many classes are
        in, is left out: it has the rest of the rows.
      loss: the sum of the rows' cross-entropy.
      calibration: of the probability of the most probable class; of two classes, of the positive one's.
    """

    def __init__(self) -> None:
        self.pairs: Counter[tuple[int, int]] = Counter()
        self.histogram: Counter[tuple[int, int, bool]] = Counter()
        self.loss = 0.0
        self.calibration = Calibration()

    def __iadd__(self, other: "_Counts") -> "_Counts":
        self.pairs.update(other.pairs)
        self.histogram.update(other.histogram)
        self.loss += other.loss
        self.calibration += other.calibration
        return self


class _Combiner(beam.CombineFn):
    def __init__(
        self, keys: list[metric_types.MetricKey], problem: Problem, bounds: Mapping[int, float], eval_config: config_pb2.EvalConfig | None
    ) -> None:
        self._keys, self._bounds, self._eval_config = keys, bounds, eval_config
        self._classes = problem.task.outputs
        self._numbers = {name.encode(): number for number, name in enumerate(problem.task.names or ())}
        self._buckets = max(2, min(_MOST_BUCKETS, _CELLS // self._classes))

    def create_accumulator(self) -> _Counts:
        return _Counts()

    def add_input(self, counts: _Counts, element: metric_types.StandardMetricInputs) -> _Counts:
        for label, probabilities in self._rows(element):
            bucket = np.minimum((probabilities * self._buckets).astype(np.int64), self._buckets - 1)
            above = np.flatnonzero(bucket)
            for index, place in zip(above.tolist(), bucket[above].tolist(), strict=True):
                counts.histogram[index, place, index == label] += 1
            counts.pairs[label, self._answer(element, probabilities)] += 1
            own = probabilities[label] / probabilities.sum() if label >= 0 else 0.0  # -1 is a class that the train split does not have
            counts.loss -= float(np.log(max(own, _LEAST_PROBABILITY)))
            told = 1 if self._classes == 2 else int(np.argmax(probabilities))
            counts.calibration.add(probabilities[[told]], np.asarray([label == told]))
        return counts

    def _rows(self, element: metric_types.StandardMetricInputs) -> Iterator[tuple[int, np.ndarray]]:
        pairs = metric_util.to_label_prediction_example_weight(
            element, eval_config=self._eval_config, model_name=self._keys[0].model_name, flatten=False, allow_none=True
        )
        for label, probabilities, _ in pairs:
            yield int(label.item()), probabilities

    def _answer(self, element: metric_types.StandardMetricInputs, probabilities: np.ndarray) -> int:
        """The number of the class that is answered: of a model that serves probabilities alone, the most probable one."""
        outputs = element.get_predictions(self._keys[0].model_name)
        if not isinstance(outputs, Mapping) or _ANSWER not in outputs:
            return int(np.argmax(probabilities))
        answer = np.asarray(outputs[_ANSWER]).item()
        return self._numbers[answer] if isinstance(answer, bytes) else int(answer)

    def merge_accumulators(self, accumulators: Iterable[_Counts]) -> _Counts:
        merged = self.create_accumulator()
        for counts in accumulators:
            merged += counts
        return merged

    def extract_output(self, counts: _Counts) -> dict[metric_types.MetricKey, Any]:
        rows = counts.pairs.total()
        loss = counts.loss / rows if rows else float("nan")
        roc, precision_recall = _macro_areas(counts, self._buckets, is_binary=self._classes == 2)
        values: list[Any] = [_accuracy(counts.pairs), *averages(counts.pairs), roc, loss, precision_recall, mcc(counts.pairs), loss]
        values.append(counts.calibration.error)
        if self._bounds:
            values.append(float(len(missed(accuracy_by_class(counts.pairs), self._bounds))))
        values.append(_plot(counts.pairs))
        return dict(zip(self._keys, values, strict=True))


def _plot(pairs: Mapping[tuple[int, int], int]) -> metrics_for_slice_pb2.MultiClassConfusionMatrixAtThresholds:
    """The pairs as TFMA's own confusion matrix has them."""
    plot = metrics_for_slice_pb2.MultiClassConfusionMatrixAtThresholds()
    matrix = plot.matrices.add()
    for (actual, answer), rows in sorted(pairs.items()):
        matrix.entries.add(actual_class_id=actual, predicted_class_id=answer, num_weighted_examples=rows)
    return plot


def _accuracy(pairs: Mapping[tuple[int, int], int]) -> float:
    """The share of rows that are told right, NaN where there are none."""
    rows = sum(pairs.values())
    return sum(each for (label, answer), each in pairs.items() if label == answer) / rows if rows else float("nan")


def averages(pairs: Mapping[tuple[int, int], int]) -> tuple[float, float, float]:
    """Macro precision, recall and F1 over the classes with rows, NaN where there are none; `pairs` are rows by (actual, predicted)."""
    actual = _rows_by_class(pairs)
    if not actual:
        return float("nan"), float("nan"), float("nan")
    predicted: Counter[int] = Counter()
    for (_, answer), rows in pairs.items():
        predicted[answer] += rows
    hits = np.asarray([pairs.get((label, label), 0) for label in actual], float)
    precision = _ratio(hits, np.asarray([predicted[label] for label in actual]))
    recall = _ratio(hits, np.asarray(list(actual.values())))
    f1 = _ratio(2 * precision * recall, precision + recall)
    return float(precision.mean()), float(recall.mean()), float(f1.mean())


def accuracy_by_class(pairs: Mapping[tuple[int, int], int]) -> dict[int, float]:
    """The share of each class's rows that are told right, by label, of the classes with rows; `pairs` as for `averages`."""
    return {label: pairs.get((label, label), 0) / rows for label, rows in _rows_by_class(pairs).items()}


def missed(accuracy: Mapping[int, float], bounds: Mapping[int, float]) -> set[int]:
    """The classes whose accuracy is below their bound, both by label; a class without rows reaches none."""
    return {label for label, bound in bounds.items() if not accuracy.get(label, -1.0) >= bound}


def _rows_by_class(pairs: Mapping[tuple[int, int], int]) -> dict[int, int]:
    """Rows of each actual class that has some, in the classes' order; what is no class of the train split is none."""
    actual: Counter[int] = Counter()
    for (label, _), rows in pairs.items():
        if label >= 0:
            actual[label] += rows
    return dict(sorted(actual.items()))


def mcc(pairs: Mapping[tuple[int, int], int]) -> float:
    """Matthews's correlation of actual and predicted classes, 1 at best, 0 for one answer to all; `pairs` and NaN as for `averages`."""
    actual: Counter[int] = Counter()
    predicted: Counter[int] = Counter()
    for (label, answer), rows in pairs.items():
        actual[label] += rows
        predicted[answer] += rows
    total, hits = sum(actual.values()), sum(rows for (label, answer), rows in pairs.items() if label == answer)
    if not total:
        return float("nan")
    both = sum(rows * predicted[label] for label, rows in actual.items())
    spread = [total**2 - sum(rows**2 for rows in each.values()) for each in (actual, predicted)]
    return (hits * total - both) / math.sqrt(spread[0] * spread[1]) if all(spread) else 0.0


def _macro_areas(counts: _Counts, buckets: int, is_binary: bool) -> tuple[float, float]:
    """Averages over the classes, NaN where only one class has rows.

    The area under the ROC curve is the chance that a row of the class gets a higher probability than another row (ties count half); that
    under the precision-recall curve is the average precision, of the positive class alone where the task has two.
    """
    actual = _rows_by_class(counts.pairs)
    if len(actual) < 2:
        return float("nan"), float("nan")
    own, others = _histograms(counts, actual, buckets)
    below = np.cumsum(others, axis=1) - others / 2
    pairs = own.sum(axis=1) * others.sum(axis=1)
    found = np.cumsum(own[:, ::-1], axis=1)  # from the highest probability down
    answered = found + np.cumsum(others[:, ::-1], axis=1)
    precision = np.divide(found, answered, out=np.ones_like(found), where=answered > 0)
    average = (precision * own[:, ::-1]).sum(axis=1) / own.sum(axis=1)
    return float(((own * below).sum(axis=1) / pairs).mean()), float(average[1] if is_binary else average.mean())


def _histograms(counts: _Counts, actual: dict[int, int], buckets: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the class and of others by the bucket of its probability, float (classes with rows, buckets) each."""
    place = {label: index for index, label in enumerate(actual)}
    both = np.zeros((2, len(actual), buckets))
    for (label, bucket, is_own), rows in counts.histogram.items():
        if label in place:
            both[int(is_own), place[label], bucket] = rows
    others, own = both
    rows_of_class = np.asarray(list(actual.values()), float)
    own[:, 0] = rows_of_class - own.sum(axis=1)
    others[:, 0] = rows_of_class.sum() - rows_of_class - others.sum(axis=1)
    return own, others


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.zeros(len(above)), where=below > 0)
