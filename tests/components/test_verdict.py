"""The gate for real: TFX's Evaluator on tiny SavedModels, and what is read back of it.

A row's `image/height` is the class the candidate answers, its `image/width` the class the baseline answers.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import json_format
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import json_utils

from components import verdict
from components.bound import Bound
from components.config import EvaluatorConfig
from components.evaluation import eval_config
from components.evaluator import Executor
from components.gate_verdict import read_verdict
from tests.problems import of_pictures
from trainer.features import names

CLASSES = 3
PROBLEM = of_pictures(CLASSES)
#          actual   candidate baseline
ROWS = [(0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 1, 0), (1, 1, 1), (1, 1, 1), (1, 1, 1), (1, 1, 1), (1, 0, 1), (1, 1, 1)]  # class 2 has no rows
ACCURACY, BASELINE_ACCURACY = 0.8, 1.0


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """An Examples artifact: the rows as the test split, those of class 0 as the train split."""
    artifact = standard_artifacts.Examples()
    artifact.uri = str(tmp_path_factory.mktemp("examples"))
    artifact.split_names = artifact_utils.encode_split_names(["train", "test"])
    for split, rows in {"train": [row for row in ROWS if row[0] == 0], "test": ROWS}.items():
        folder = f"{artifact.uri}/Split-{split}"
        tf.io.gfile.makedirs(folder)
        with tf.io.TFRecordWriter(f"{folder}/data.gz", "GZIP") as file:
            for row in rows:
                columns = (names.IMAGE_LABEL, names.IMAGE_HEIGHT, names.IMAGE_WIDTH)
                values = {
                    name: tf.train.Feature(int64_list=tf.train.Int64List(value=[value])) for name, value in zip(columns, row, strict=True)
                }
                file.write(tf.train.Example(features=tf.train.Features(feature=values)).SerializeToString())
    return artifact


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """model(feature, classes): a Model artifact that answers the class that `feature` says, of as many as there are."""

    def make(feature, classes=CLASSES):
        module = tf.Module()
        constant = [2] if feature == "image/constant" else None  # which the rows do not have
        parse = {feature: tf.io.FixedLenFeature([], tf.int64, constant)}
        module.answer = tf.function(
            lambda examples: {"probabilities": tf.one_hot(tf.io.parse_example(examples, parse)[feature], classes) * 0.8 + 0.1},
            input_signature=[tf.TensorSpec([None], tf.string)],
        )
        artifact = standard_artifacts.Model()
        artifact.uri = str(tmp_path_factory.mktemp("model"))
        tf.saved_model.save(module, f"{artifact.uri}/Format-Serving", signatures={"serving_default": module.answer})
        return artifact

    return make


@pytest.fixture(scope="module")
def evaluate(examples, model, beam_context, tmp_path_factory):
    """evaluate(config, with_baseline, **others): (evaluation folder, whether TFX blessed the candidate); `others` are other models."""
    models = {"model": model(names.IMAGE_HEIGHT), "baseline_model": model(names.IMAGE_WIDTH)}

    def run(config, with_baseline=False, **others):
        folder = tmp_path_factory.mktemp("evaluator")
        evaluation, blessing = standard_artifacts.ModelEvaluation(), standard_artifacts.ModelBlessing()
        evaluation.uri, blessing.uri = str(folder / "evaluation"), str(folder / "blessing")
        inputs = {"examples": [examples], **{name: [artifact] for name, artifact in {**models, **others}.items()}}
        if not with_baseline:
            del inputs["baseline_model"]
        Executor(beam_context(folder)).Do(
            inputs,
            {"evaluation": [evaluation], "blessing": [blessing]},
            {
                "eval_config": json_format.MessageToJson(eval_config(config, PROBLEM)),
                "example_splits": json_utils.dumps(["test"]),
                "fairness_indicator_thresholds": "null",
            },
        )
        return evaluation.uri, bool(blessing.get_int_custom_property("blessed"))

    return run


STRICT = EvaluatorConfig(min_accuracy=0.85, min_class_accuracy=0.5, class_min_accuracy={"0": 0.8}, max_accuracy_drop=0.05)
LENIENT = EvaluatorConfig(min_accuracy=0.8, class_min_accuracy={"0": 0.75, "1": 0.8}, max_accuracy_drop=0.05)


@pytest.fixture(scope="module")
def refused(evaluate):
    return evaluate(STRICT, with_baseline=True)


@pytest.fixture(scope="module")
def blessed(evaluate):
    return evaluate(LENIENT)


def test_every_bound_is_told_with_its_slice_value_and_verdict(refused):
    evaluation, is_blessed = refused
    assert not is_blessed
    rows = verdict.bounds(evaluation, STRICT, PROBLEM)
    assert [(row.metric, row.bound, row.passed) for row in rows] == [
        ("accuracy", 0.85, False),
        ("accuracy (class 0)", 0.8, False),
        ("accuracy (class 1)", 0.5, True),
        ("accuracy (class 2)", 0.5, False),
        ("accuracy", pytest.approx(BASELINE_ACCURACY - 0.05), False),
    ]
    assert [row.value for row in rows] == [
        pytest.approx(ACCURACY),
        pytest.approx(0.75),
        pytest.approx(5 / 6),
        None,
        pytest.approx(ACCURACY),
    ]


def test_a_refusal_says_metric_slice_value_bound_and_by_how_much(refused):
    reasons = [row.reason for row in verdict.bounds(refused[0], STRICT, PROBLEM) if not row.passed]
    assert reasons == [
        "accuracy is 0.8000, which is 0.0500 below the bound of 0.8500",
        "accuracy (class 0) is 0.7500, which is 0.0500 below the bound of 0.8000",
        "accuracy (class 2) has no rows in the test split to compare with the bound of 0.5000",
        "accuracy is 0.8000, which is 0.1500 below the bound of 0.9500 (the last blessed model's 1.0000 less 0.05)",
    ]


def test_a_value_that_is_exactly_the_bound_passes_and_without_a_baseline_nothing_is_compared(blessed):
    evaluation, is_blessed = blessed
    assert is_blessed
    assert verdict.bounds(evaluation, LENIENT, PROBLEM) == [
        Bound("accuracy", 0.8, pytest.approx(ACCURACY), True),
        Bound("accuracy (class 0)", 0.75, pytest.approx(0.75), True),
        Bound("accuracy (class 1)", 0.8, pytest.approx(5 / 6), True),
    ]


@pytest.mark.parametrize(("which", "config"), [("refused", STRICT), ("blessed", LENIENT)])
def test_the_evaluator_leaves_the_verdict_of_its_own_bounds_beside_the_blessing(request, which, config):
    evaluation, is_blessed = request.getfixturevalue(which)
    found = read_verdict(str(Path(evaluation).with_name("blessing")))
    assert found == verdict.read(evaluation, config, PROBLEM)
    assert (found.reasons == []) is is_blessed
    assert found.notes


@pytest.mark.parametrize("which", ["refused", "blessed"])
def test_the_metrics_are_the_candidates_with_and_without_a_baseline(request, which):
    evaluation, _ = request.getfixturevalue(which)
    metrics = verdict.metrics(evaluation, PROBLEM)
    assert metrics["accuracy"] == pytest.approx(ACCURACY)
    assert metrics["accuracy_by_class"] == {"0": pytest.approx(0.75), "1": pytest.approx(5 / 6)}
    assert metrics["confusion_matrix"] == [[3, 1, 0], [1, 5, 0], [0, 0, 0]]
    assert metrics["example_count"] == len(ROWS)
    assert metrics["loss"] == pytest.approx(-(8 * np.log(0.9) + 2 * np.log(0.1)) / 10 + np.log(1.1), abs=1e-4)
    assert metrics["precision"] == metrics["recall"] == pytest.approx((0.75 + 5 / 6) / 2)
    assert metrics["log_loss"] == metrics["loss"]
    assert metrics["mcc"] == pytest.approx((3 * 5 - 1 * 1) / (4 * 6))
    assert metrics["pr_auc"] == pytest.approx(((0.75 * 0.75 + 0.25 * 0.4) + (25 / 36 + 1 / 6 * 0.6)) / 2)
    assert all(type(metrics[name]) is float for name in ("accuracy", "loss", "precision", "recall", "f1", "auc", "pr_auc", "mcc"))


def test_the_count_of_classes_below_their_bound_is_the_gates_own_and_no_metric_of_the_record(refused):
    assert verdict.metrics(refused[0], PROBLEM).keys() == {
        *("accuracy", "accuracy_by_class", "auc", "confusion_matrix", "example_count", "f1", "log_loss", "loss", "mcc"),
        *("calibration", "pr_auc", "precision", "recall"),
    }


@pytest.mark.parametrize(("bounds", "passes"), [({"0": 0.75}, True), ({"0": 0.76}, False), ({"2": 0.0}, False)])
def test_a_bound_of_a_class_alone_decides_and_a_class_without_rows_does_not_reach_its(evaluate, bounds, passes):
    config = EvaluatorConfig(min_accuracy=0.5, class_min_accuracy=bounds, max_accuracy_drop=None)
    evaluation, is_blessed = evaluate(config)
    assert is_blessed is passes
    assert [row.passed for row in verdict.bounds(evaluation, config, PROBLEM)] == [True, passes]


def test_the_labels_in_the_record_are_in_their_order_as_numbers(blessed, monkeypatch):
    monkeypatch.setattr(verdict, "_confusions", lambda *_: {(label, label): 1 for label in (10, 9, 1)})
    assert list(verdict.metrics(blessed[0], PROBLEM)["accuracy_by_class"]) == ["1", "9", "10"]


COMPARED = EvaluatorConfig(min_accuracy=0.5, max_accuracy_drop=0.3)


def test_the_note_says_which_baseline_was_compared_with(refused, blessed):
    assert [line for line in verdict.read(refused[0], STRICT, PROBLEM).notes if "compared with /" in line]
    assert not [line for line in verdict.read(blessed[0], LENIENT, PROBLEM).notes if "baseline" in line]


def test_the_note_names_the_classes_that_the_train_split_does_not_have(blessed):
    assert [line for line in verdict.read(blessed[0], LENIENT, PROBLEM).notes if "train split" in line] == [
        "the train split has no rows of classes 1, 2: the model cannot have learned them."
    ]


@pytest.mark.parametrize("harm", ["gone", "truncated", "more classes", "other rows"])
def test_a_baseline_that_cannot_be_compared_with_is_left_out_and_the_absolute_bounds_decide(evaluate, model, harm):
    baseline = model("image/other" if harm == "other rows" else names.IMAGE_WIDTH, CLASSES + (harm == "more classes"))
    file = Path(baseline.uri) / "Format-Serving" / "saved_model.pb"
    if harm == "gone":
        shutil.rmtree(baseline.uri)
    elif harm == "truncated":
        file.write_bytes(file.read_bytes()[:100])
    evaluation, is_blessed = evaluate(COMPARED, with_baseline=True, baseline_model=baseline)
    found = verdict.read(evaluation, COMPARED, PROBLEM)
    why = {
        "gone": "its folder is not there",
        "truncated": "it does not answer (",
        "more classes": "it answers float32 for 4 classes, and the new model float32 for 3 classes",
        "other rows": "it does not answer (",
    }[harm]
    [line] = [line for line in found.notes if "baseline" in line]
    assert line.startswith(f"the baseline {baseline.uri} was left out: {why}")
    assert "\n" not in line
    assert is_blessed
    assert [bound.origin for bound in found.bounds] == [""]


def test_a_baseline_that_no_bound_needs_is_not_opened(evaluate, model):
    """Its folder is gone, and nobody asks for it."""
    baseline = model(names.IMAGE_WIDTH)
    shutil.rmtree(baseline.uri)
    config = EvaluatorConfig(min_accuracy=0.5, max_accuracy_drop=None)
    evaluation, is_blessed = evaluate(config, with_baseline=True, baseline_model=baseline)
    assert is_blessed
    assert not [line for line in verdict.read(evaluation, config, PROBLEM).notes if "baseline" in line]


def test_a_model_that_gives_every_row_the_same_answer_is_told_from_a_bad_one(evaluate, model, blessed):
    evaluation, _ = evaluate(COMPARED, model=model("image/constant"))
    [line] = [line for line in verdict.read(evaluation, COMPARED, PROBLEM).notes if "predicts" in line]
    assert line.startswith("the model predicts class 2 for all 10 test rows")
    assert "`preprocessing.normalize: standardize`" in line
    assert not [line for line in verdict.read(blessed[0], LENIENT, PROBLEM).notes if "predicts" in line]


@pytest.mark.parametrize(("answers", "is_told"), [(4, True), (8, True), (9, False), (16, False)])
def test_a_model_that_never_answers_half_of_the_classes_is_told_too(blessed, monkeypatch, answers, is_told):
    monkeypatch.setattr(verdict, "_confusions", lambda *_: {(label, label % answers): 20 for label in range(16)})
    lines = [line for line in verdict.read(blessed[0], LENIENT, of_pictures(16)).notes if "predicts" in line]
    assert bool(lines) is is_told
    if is_told:
        assert lines[0].startswith(f"the model predicts only {answers} of the 16 classes that the test rows have: ")


def test_classes_without_a_test_row_are_named(blessed, monkeypatch):
    def told(classes):
        return [line for line in verdict.read(blessed[0], LENIENT, of_pictures(classes)).notes if "no test row" in line]

    monkeypatch.setattr(verdict, "_confusions", lambda *_: {(label, label): 20 for label in range(10)})
    assert told(10) == []
    assert told(11) == ["no test row is of class 10: nothing is known of how well it is told."]
    assert told(22) == [
        f"no test row is of classes {', '.join(map(str, range(10, 20)))} and 2 more: nothing is known of how well they are told."
    ]


def test_a_test_split_too_small_to_judge_by_is_warned_about(blessed):
    [line] = [line for line in verdict.read(blessed[0], LENIENT, PROBLEM).notes if "test split" in line]
    assert line.startswith("the test split has 10 rows: one answer more or less moves the accuracy by 0.10")


def test_of_a_thousand_classes_the_record_holds_the_worst_and_the_most_confused(blessed, monkeypatch):
    pairs = {(actual, (actual + 1) % 1000): actual + 1 for actual in range(1000)} | {(label, label): label for label in range(1000)}
    monkeypatch.setattr(verdict, "_confusions", lambda *_: pairs)
    metrics = verdict.metrics(blessed[0], of_pictures(1000))
    assert list(metrics["accuracy_by_class"]) == [str(label) for label in range(100)]
    assert metrics["accuracy_by_class"]["3"] == 3 / 7
    assert metrics["most_confused"][:2] == [[999, 0, 1000], [998, 999, 999]]
    assert len(metrics["most_confused"]) == 100
    assert "confusion_matrix" not in metrics
