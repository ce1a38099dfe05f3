"""The figures of several labels a row against scikit-learn's."""

import math

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics
from tensorflow_model_analysis.metrics import metric_types

from components import metric_names, multilabel_metrics
from tests.components.calibration_error import calibration_error
from trainer.problem import Problem
from trainer.tasks import Multilabel


def problem(labels):
    task = Multilabel(names=tuple(f"label {number}" for number in range(labels)))
    return Problem(features={"x": "number"}, label="tags", task=task).to_json()


@pytest.fixture(scope="module")
def predictions():
    """Labels 0 or 1 and probabilities of 400 rows, float64 (400, 5) each."""
    random = np.random.default_rng(0)
    labels = (random.random((400, 5)) < [0.5, 0.3, 0.2, 0.1, 0.05]).astype(float)
    return labels, np.clip(labels * 0.35 + random.random((400, 5)) * 0.65, 0, 1).round(3)


def measure(labels, probabilities, workers=1):
    """What TFMA's combiner does, divided over `workers`: {name or (name, label's number): value}."""
    [computation] = multilabel_metrics._computations("accuracy", problem(labels.shape[1]))
    combiner = computation.combiner
    accumulators = []
    for rows in np.array_split(np.arange(len(labels)), workers):
        counts = combiner.create_accumulator()
        for row in rows:
            counts = combiner.add_input(counts, metric_types.StandardMetricInputs(label=labels[row], prediction=probabilities[row]))
        accumulators.append(counts)
    found = combiner.extract_output(combiner.merge_accumulators(accumulators))
    return {(key.name, key.sub_key.class_id) if key.sub_key else key.name: value for key, value in found.items()}


@pytest.mark.parametrize("workers", [1, 7, 500])  # of 500 some have no row
def test_the_metrics_are_scikit_learns_however_rows_are_divided_over_workers(predictions, workers):
    labels, probabilities = predictions
    told = probabilities > 0.5
    by_label = sklearn_metrics.f1_score(labels, told, average=None)
    expected = {
        "accuracy": sklearn_metrics.accuracy_score(labels, told),
        "precision": sklearn_metrics.precision_score(labels, told, average="macro"),
        "recall": sklearn_metrics.recall_score(labels, told, average="macro"),
        "f1": sklearn_metrics.f1_score(labels, told, average="macro"),
        "log_loss": np.mean([sklearn_metrics.log_loss(labels[:, n], probabilities[:, n]) for n in range(5)]),
        "auc": sklearn_metrics.roc_auc_score(labels, probabilities, average="macro"),
        "pr_auc": sklearn_metrics.average_precision_score(labels, probabilities, average="macro"),
    }
    found = measure(labels, probabilities, workers)
    assert {("f1", n): found.pop(("f1", n)) for n in range(5)} == pytest.approx({("f1", n): by_label[n] for n in range(5)})
    assert found.pop("calibration") == pytest.approx(calibration_error(probabilities.ravel(), labels.ravel()), rel=1e-9)
    assert found == pytest.approx(expected, rel=1e-3)  # areas are of 1,000 buckets
    assert found["f1"] == pytest.approx(expected["f1"], rel=1e-12)


def test_a_label_that_no_row_has_counts_in_no_mean(predictions):
    labels, probabilities = (values.copy() for values in predictions)
    labels[:, 4] = 0
    found, without = measure(labels, probabilities), measure(labels[:, :4], probabilities[:, :4])
    assert {name: found[name] for name in ("precision", "recall", "f1", "auc", "pr_auc")} == pytest.approx(
        {name: without[name] for name in ("precision", "recall", "f1", "auc", "pr_auc")}
    )
    assert math.isnan(found["f1", 4])


def test_without_rows_nothing_can_be_told():
    assert all(math.isnan(value) for value in measure(np.zeros((0, 3)), np.zeros((0, 3))).values())


def test_what_is_kept_does_not_grow_with_the_square_of_the_labels():
    [computation] = multilabel_metrics._computations("accuracy", problem(10_000))
    counts = computation.combiner.create_accumulator()
    assert sum(array.nbytes for array in (counts.told, counts.hits, counts.histogram)) < 4_000_000
    assert len(computation.keys) == len(metric_names.OF_LABELS)  # of so many labels no figure of each
