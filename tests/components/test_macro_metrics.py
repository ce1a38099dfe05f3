"""Macro precision, recall, F1 and AUC against scikit-learn's."""

import tracemalloc

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2

from components import macro_metrics, metric_names
from components.evaluation import MISSED_CLASSES
from tests.components.calibration_error import calibration_error
from tests.problems import of_pictures
from trainer.problem import Problem
from trainer.tasks import Binary

CLASSES = 7


@pytest.fixture(scope="module", params=[0, 1, 2])
def predictions(request):
    """Labels int64 (800,) and probabilities float32 (800, 7) that are right more often than not."""
    random = np.random.default_rng(request.param)
    labels = random.integers(0, CLASSES, 800)
    logits = random.normal(size=(800, CLASSES)) + 1.5 * np.eye(CLASSES)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return labels, probabilities.astype(np.float32)


def measure(labels, probabilities, workers=1, gate="{}", answers=None, problem=None):
    """What TFMA's combiner does, divided over `workers`; `gate` is an EvaluatorConfig as JSON, `answers` the served classes if any."""
    probabilities = np.asarray(probabilities)
    problem = problem or of_pictures(probabilities.shape[1])
    spec = config_pb2.EvalConfig(model_specs=[config_pb2.ModelSpec(prediction_key="probabilities")])
    [computation] = macro_metrics._computations(problem.to_json(), gate=gate, name=MISSED_CLASSES, eval_config=spec)
    combiner = computation.combiner
    accumulators = []
    for rows in np.array_split(np.arange(len(labels)), workers):
        counts = combiner.create_accumulator()
        for row in rows:
            served = probabilities[row] if answers is None else {"probabilities": probabilities[row], "classes": np.asarray(answers[row])}
            counts = combiner.add_input(counts, metric_types.StandardMetricInputs(label=labels[row : row + 1], prediction=served))
        accumulators.append(counts)
    found = combiner.extract_output(combiner.merge_accumulators(accumulators))
    return {key.name: value for key, value in found.items() if not isinstance(key, metric_types.PlotKey)}


def test_precision_recall_and_f1_are_scikit_learns(predictions):
    labels, probabilities = predictions
    received = measure(labels, probabilities)
    chosen = probabilities.argmax(axis=1)
    for name in ("precision", "recall", "f1"):
        expected = getattr(sklearn_metrics, f"{name}_score")(labels, chosen, average="macro")
        assert received[name] == pytest.approx(expected, abs=1e-12), name


def test_auc_is_scikit_learns_within_a_thousandth(predictions):
    labels, probabilities = predictions
    expected = sklearn_metrics.roc_auc_score(
        labels, probabilities / probabilities.sum(axis=1, keepdims=True), multi_class="ovr", average="macro"
    )
    assert measure(labels, probabilities)["auc"] == pytest.approx(expected, abs=1e-3)


def test_loss_is_scikit_learns_however_rows_are_divided_over_workers(predictions):
    labels, probabilities = predictions
    expected = sklearn_metrics.log_loss(labels, probabilities / probabilities.sum(axis=1, keepdims=True))
    assert measure(labels, probabilities, workers=5)["loss"] == pytest.approx(expected, abs=1e-6)


def test_calibration_is_of_the_most_probable_class_and_of_two_classes_of_the_positive_one(predictions):
    labels, probabilities = predictions
    expected = calibration_error(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels)
    assert measure(labels, probabilities, workers=5)["calibration"] == pytest.approx(expected, abs=1e-6)
    positive = probabilities[:, 1].astype(np.float64)
    two = np.stack([1 - positive, positive], axis=1)
    assert measure(labels == 1, two, workers=5)["calibration"] == pytest.approx(calibration_error(positive, labels == 1), abs=1e-6)


def test_a_probability_of_1_is_in_the_last_bin_and_a_class_that_the_train_split_lacks_never_comes_true():
    certain = np.eye(3, dtype=np.float32)[[0, 1]]
    assert measure(np.asarray([0, -1]), certain)["calibration"] == 0.5


def test_the_answer_does_not_depend_on_how_rows_are_divided_over_workers(predictions):
    assert measure(*predictions, workers=5) == measure(*predictions)


def test_a_perfect_model_has_1_everywhere_and_a_constant_one_half_an_auc():
    labels = np.arange(20) % 4
    assert measure(labels, np.eye(4, dtype=np.float32)[labels]) == dict.fromkeys(metric_names.OF_CLASSES, 1.0) | dict.fromkeys(
        ["loss", "log_loss", "calibration"], 0.0
    )
    assert measure(labels, np.full((20, 4), 0.25, np.float32))["auc"] == 0.5


def test_a_model_that_is_always_wrong_has_an_auc_of_0():
    labels = np.arange(20) % 2
    assert measure(labels, np.eye(2, dtype=np.float32)[1 - labels])["auc"] == 0.0


def test_classes_without_rows_do_not_count_unless_they_are_predicted():
    received = measure(np.asarray([0, 1, 1]), np.eye(3, dtype=np.float32)[[0, 1, 2]])
    assert received["recall"] == pytest.approx((1 + 1 / 2) / 2)
    assert received["precision"] == 1.0


@pytest.mark.filterwarnings("error")  # NumPy's, of a division by 0, would be in the user's log
def test_no_rows_have_no_metrics():
    assert all(np.isnan(value) for value in measure([], np.zeros((0, CLASSES), np.float32)).values())


@pytest.mark.filterwarnings("error")
def test_one_class_alone_has_no_auc():
    received = measure(np.zeros(3, np.int64), np.eye(2, dtype=np.float32)[[0, 0, 1]])
    assert np.isnan(received["auc"])
    assert received["recall"] == pytest.approx(2 / 3)


def test_classes_below_their_bound_are_counted_exactly_and_those_without_rows_with_them():
    labels = np.asarray([0] * 10 + [1] * 10)
    answers = np.eye(3, dtype=np.float32)[[0] * 9 + [1] + [1] * 8 + [0] * 2]
    for bound, below in ((0.8, 1), (0.81, 2), (0.9, 2), (0.91, 3)):
        assert measure(labels, answers, gate=f'{{"min_class_accuracy": {bound}}}')[MISSED_CLASSES] == below
    assert measure(labels, answers, gate='{"class_min_accuracy": {"0": 0.9}}')[MISSED_CLASSES] == 0
    assert MISSED_CLASSES not in measure(labels, answers)


def test_memory_grows_with_rows_and_not_with_the_square_of_the_classes():
    """An accumulator for each of 100,000 classes, of one row each, before and after they are merged: classes squared would be 80 GB."""
    classes = 100_000
    [computation] = macro_metrics._computations(of_pictures(classes).to_json(), gate='{"min_class_accuracy": 0.5}', name=MISSED_CLASSES)
    combiner = computation.combiner
    probabilities = np.full(classes, 1e-6, np.float32)
    probabilities[3] = 0.9
    tracemalloc.start()
    slices = [combiner.create_accumulator() for _ in range(classes)]
    for label in range(0, classes, 1000):
        row = metric_types.StandardMetricInputs(label=np.asarray([label]), prediction=probabilities)
        slices[label] = combiner.add_input(slices[label], row)
    merged = combiner.extract_output(combiner.merge_accumulators(slices))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 200e6
    values = {key.name: value for key, value in merged.items()}
    assert values["recall"] == 0.0
    assert values[MISSED_CLASSES] == classes


def test_mcc_and_the_mean_average_precision_are_scikit_learns(predictions):
    labels, probabilities = predictions
    received = measure(labels, probabilities, workers=3)
    assert received["mcc"] == pytest.approx(sklearn_metrics.matthews_corrcoef(labels, probabilities.argmax(axis=1)), abs=1e-12)
    expected = sklearn_metrics.average_precision_score(np.eye(CLASSES)[labels], probabilities, average="macro")
    assert received["pr_auc"] == pytest.approx(expected, abs=2e-3)  # the probabilities are in a thousand buckets


def test_of_two_classes_the_average_precision_is_the_positive_ones_alone():
    random = np.random.default_rng(0)
    labels = (random.random(600) < 0.2).astype(int)
    positive = 1 / (1 + np.exp(-random.normal(2.0 * labels - 1, 1)))
    received = measure(labels, np.stack([1 - positive, positive], axis=1).astype(np.float32))
    expected = sklearn_metrics.average_precision_score(labels, positive)
    assert abs(expected - sklearn_metrics.average_precision_score(1 - labels, 1 - positive)) > 0.1
    assert received["pr_auc"] == pytest.approx(expected, abs=2e-3)


def test_a_third_class_without_rows_makes_the_other_two_no_positive_and_negative_one():
    labels, scores = np.arange(40) % 2, np.random.default_rng(1).random((40, 3)).astype(np.float32)
    expected = sklearn_metrics.average_precision_score(np.eye(2)[labels], scores[:, :2], average="macro")
    assert measure(labels, scores)["pr_auc"] == pytest.approx(expected, abs=5e-3)


def test_one_answer_to_every_row_correlates_with_nothing():
    assert measure(np.arange(20) % 4, np.eye(4, dtype=np.float32)[[1] * 20])["mcc"] == 0.0


def test_a_class_that_the_train_split_does_not_have_counts_as_wrong():
    """Its number is -1."""
    labels, answers = np.asarray([0, 1, -1, -1]), np.eye(2, dtype=np.float32)[[0, 1, 0, 1]]
    received = measure(labels, answers)
    assert received["log_loss"] == pytest.approx(-2 * np.log(1e-7) / 4, rel=1e-3)
    assert received["precision"] == pytest.approx(0.5)
    assert received["recall"] == 1.0
    assert received["mcc"] == pytest.approx(sklearn_metrics.matthews_corrcoef(labels, answers.argmax(axis=1)))


@pytest.mark.parametrize("named", [True, False])
def test_what_is_counted_are_the_answered_classes_and_areas_and_losses_are_the_probabilities(named):
    random = np.random.default_rng(2)
    labels = (random.random(300) < 0.2).astype(int)
    positive = (1 / (1 + np.exp(2 - 2.0 * labels - random.normal(size=300)))).astype(np.float32)
    probabilities, answers = np.stack([1 - positive, positive], axis=1), (positive >= 0.2).astype(int)
    task = Binary(classes=2, names=("ham", "迷惑") if named else None)
    served = [task.names[answer].encode() for answer in answers] if named else answers
    received = measure(labels, probabilities, answers=served, problem=Problem(features={"text": "text"}, label="label", task=task))
    plain = measure(labels, probabilities)
    for name in ("precision", "recall", "f1"):
        assert received[name] == pytest.approx(getattr(sklearn_metrics, f"{name}_score")(labels, answers, average="macro"), abs=1e-12)
    assert received["mcc"] == pytest.approx(sklearn_metrics.matthews_corrcoef(labels, answers)) != pytest.approx(plain["mcc"])
    assert received["accuracy"] == (labels == answers).mean() != plain["accuracy"]
    assert {name: received[name] for name in ("auc", "pr_auc", "loss", "log_loss")} == {
        name: plain[name] for name in ("auc", "pr_auc", "loss", "log_loss")
    }
