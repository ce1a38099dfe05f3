"""The gate for columns, for real: TFX's Evaluator on a tiny SavedModel of named classes and on one of numbers.

A row's `answer` is the class that the model answers, and its `label` what is right; `sex` is a column to slice by.
"""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import json_format
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import json_utils

from components import evaluator, naive
from components.config import BoundConfig, EvaluatorConfig
from components.evaluation import eval_config
from components.evaluator import Executor
from components.gate_verdict import read_verdict
from trainer.problem import Problem
from trainer.tasks import Multiclass, Regression

CLASSES = ("負傷", "死亡", "無傷")
#        label, answer, sex
TRAIN = [("負傷", 0, "女")] * 5 + [("死亡", 1, "男")] * 3 + [("無傷", 2, "男")] * 2
TEST = [("負傷", 0, "女")] * 4 + [("死亡", 1, "女")] * 2 + [("負傷", 0, "男")] * 2 + [("無傷", 0, "男")] * 2 + [("逃走", 1, "男")]
RIGHT, WRONG = 0.8, 0.1  # the probabilities of the answer, and of each other class
PROBLEM = Problem(features={"answer": "number"}, label="label", task=Multiclass())
RESOLVED = PROBLEM.model_copy(update={"task": Multiclass(classes=3, names=CLASSES)})
DECIDED = RESOLVED.model_copy(update={"task": RESOLVED.task.model_copy(update={"class_weights": "balanced", "weights": (1.0, 1.0, 99.0)})})
AUTO = DECIDED.task.model_copy(update={"threshold": "auto", "answer_weights": (1.0, 1.0, 1.0)})
GOOD_WEIGHTS = RESOLVED.model_copy(update={"task": AUTO})
BAD_WEIGHTS = RESOLVED.model_copy(update={"task": AUTO.model_copy(update={"answer_weights": AUTO.weights})})
BENT = RESOLVED.model_copy(update={"features": {"answer": "category"}})
NUMBERS = Problem(features={"answer": "number"}, label="price", task=Regression())


def example(label, answer, sex):
    def text(value):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))

    def number(value):
        return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))

    features = {"label": text(label), "sex": text(sex), "answer": number(answer), "price": number(10.0 * answer + len(sex + label))}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """An Examples artifact of TRAIN and TEST."""
    artifact = standard_artifacts.Examples()
    artifact.uri = str(tmp_path_factory.mktemp("examples"))
    artifact.split_names = artifact_utils.encode_split_names(["train", "test"])
    for split, rows in {"train": TRAIN, "test": TEST}.items():
        folder = f"{artifact.uri}/Split-{split}"
        tf.io.gfile.makedirs(folder)
        with tf.io.TFRecordWriter(f"{folder}/data.gz", "GZIP") as file:
            for row in rows:
                file.write(example(*row))
    return artifact


class _Named(tf.Module):
    """Answers the class that a row's `answer` says; says what a label's number is, -1 for another name."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def answer(self, examples):
        answer = tf.io.parse_example(examples, {"answer": tf.io.FixedLenFeature([], tf.float32)})["answer"]
        return {"probabilities": tf.one_hot(tf.cast(answer, tf.int64), 3, RIGHT, WRONG)} | self.decided(answer)

    def decided(self, answer):
        """Nothing: the most probable class is the answer."""
        del answer
        return {}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def transform_label(self, examples):
        label = tf.io.parse_example(examples, {"label": tf.io.FixedLenFeature([], tf.string)})["label"]
        is_class = tf.equal(label[:, tf.newaxis], tf.constant(CLASSES))
        return {"label": tf.where(tf.reduce_any(is_class, axis=1), tf.argmax(tf.cast(is_class, tf.int64), axis=1), -1)}


class _Decided(_Named):
    """Answers the last class, 無傷, to all rows, whatever is most probable."""

    def decided(self, answer):
        return {"classes": tf.fill(tf.shape(answer), CLASSES[2])}


class _Bent(_Named):
    """Answers the class after the one that a row's `answer` says, which a linear model is given as it is."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def answer(self, examples):
        answer = self.transform_examples(examples)["categories"][:, 0]
        return {"probabilities": tf.one_hot((answer + 1) % 3, 3, RIGHT, WRONG)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def transform_examples(self, examples):
        answer = tf.io.parse_example(examples, {"answer": tf.io.FixedLenFeature([1], tf.float32)})["answer"]
        return {"categories": tf.cast(answer, tf.int64)}


class _Numbers(tf.Module):
    """Answers ten times a row's `answer`."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def answer(self, examples):
        return {"values": 10.0 * tf.io.parse_example(examples, {"answer": tf.io.FixedLenFeature([], tf.float32)})["answer"]}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """model(problem): a Model artifact."""

    def make(problem):
        artifact = standard_artifacts.Model()
        artifact.uri = str(tmp_path_factory.mktemp("model"))
        learners = [(NUMBERS, _Numbers), (DECIDED, _Decided), (BAD_WEIGHTS, _Decided), (BENT, _Bent)]
        modules = {learnt.to_json(): module for learnt, module in learners}
        module = modules.get(problem.to_json(), _Named)()
        signatures = {"serving_default": module.answer}
        if problem is not NUMBERS:
            signatures["transform_label"] = module.transform_label
        folder = Path(artifact.uri, "Format-Serving")
        tf.saved_model.save(module, str(folder), signatures=signatures)
        (folder / "assets.extra").mkdir()
        (folder / "assets.extra/tapeline.problem.json").write_text(problem.to_json())
        return artifact

    return make


@pytest.fixture(scope="module")
def evaluate(examples, model, beam_context, tmp_path_factory):
    """evaluate(config, learnt, given): the Verdict of a model of `learnt`, where the pipeline was `given` the problem."""
    models = {problem.to_json(): model(problem) for problem in (RESOLVED, DECIDED, GOOD_WEIGHTS, BAD_WEIGHTS, NUMBERS, BENT)}

    def run(config, learnt=RESOLVED, given=PROBLEM):
        folder = tmp_path_factory.mktemp("evaluator")
        evaluation, blessing = standard_artifacts.ModelEvaluation(), standard_artifacts.ModelBlessing()
        evaluation.uri, blessing.uri = str(folder / "evaluation"), str(folder / "blessing")
        Executor(beam_context(folder)).Do(
            {"examples": [examples], "model": [models[learnt.to_json()]]},
            {"evaluation": [evaluation], "blessing": [blessing]},
            {
                "eval_config": json_format.MessageToJson(eval_config(config, given)),
                "example_splits": json_utils.dumps(["test"]),
                "fairness_indicator_thresholds": "null",
            },
        )
        verdict = read_verdict(blessing.uri)
        assert bool(blessing.get_int_custom_property("blessed")) is (verdict.reasons == []), verdict.reasons
        return verdict

    return run


def numbers(rows):
    return np.asarray([CLASSES.index(label) if label in CLASSES else -1 for label, *_ in rows])


def log_loss(rows):
    """Of the model's answers; a class that the train split does not have gets a probability of next to nothing."""
    losses = [
        -np.log(RIGHT if number == row[1] else WRONG if number >= 0 else 1e-7) for number, row in zip(numbers(rows), rows, strict=True)
    ]
    return float(np.mean(losses))


def naive_loss(rows):
    shares = np.bincount(numbers(TRAIN)) / len(TRAIN)
    return float(np.mean([-np.log(shares[number] if number >= 0 else 1e-7) for number in numbers(rows)]))


WOMEN = [row for row in TEST if row[2] == "女"]
MEN = [row for row in TEST if row[2] == "男"]
BOUNDS = (
    BoundConfig(metric="log_loss", max=log_loss(TEST) + 0.01),
    BoundConfig(metric="log_loss", max=log_loss(WOMEN) + 0.01, slice={"sex": "女"}),
    BoundConfig(metric="accuracy", min=0.99, slice={"sex": "女"}),
    BoundConfig(metric="mcc", min=0.2),
)


@pytest.fixture(scope="module")
def blessed(evaluate):
    return evaluate(EvaluatorConfig(bounds=BOUNDS, max_accuracy_drop=None))


def test_bounds_of_metrics_that_are_kept_bless_the_model_with_each_value_in_the_table(blessed):
    assert blessed.reasons == []
    assert [(bound.metric, bound.at_least) for bound in blessed.bounds] == [
        ("log_loss", False),
        ("log_loss (sex 女)", False),
        ("accuracy (sex 女)", True),
        ("mcc", True),
        ("log_loss", False),
    ]
    values = [bound.value for bound in blessed.bounds]
    assert values[:3] == [pytest.approx(log_loss(TEST), abs=1e-4), pytest.approx(log_loss(WOMEN), abs=1e-4), 1.0]


def test_the_last_bound_is_what_the_train_splits_class_shares_reach(blessed):
    [*_, last] = blessed.bounds
    assert last.bound == pytest.approx(naive_loss(TEST), rel=1e-6)
    assert last.origin == " (the train split's class shares for every row)"


@pytest.mark.parametrize(
    ("missed", "said"),
    [
        ({"metric": "log_loss", "max": 0.5}, f"log_loss is {log_loss(TEST):.4f}, which is {log_loss(TEST) - 0.5:.4f} above the bound of"),
        ({"metric": "log_loss", "max": 2.0, "slice": {"sex": "男"}}, f"log_loss (sex 男) is {log_loss(MEN):.4f}, which is "),
        (
            {"metric": "accuracy", "min": 0.5, "slice": {"sex": "男"}},
            "accuracy (sex 男) is 0.4000, which is 0.1000 below the bound of 0.5000",
        ),
        ({"metric": "accuracy", "min": 0.5, "slice": {"sex": "不明"}}, "accuracy (sex 不明) has no rows in the test split"),
    ],
)
def test_a_bound_that_is_missed_refuses_the_model_and_is_the_only_reason(evaluate, missed, said):
    verdict = evaluate(EvaluatorConfig(bounds=(BoundConfig(**missed), *BOUNDS[:1]), max_accuracy_drop=None))
    [reason] = verdict.reasons
    assert reason.startswith(said)
    assert [bound.passed for bound in verdict.bounds] == [False, True, True]


def test_a_label_that_the_train_split_does_not_have_is_wrong_and_counted_in_a_note(blessed):
    assert blessed.metrics["accuracy"] == pytest.approx(8 / 11)
    assert blessed.metrics["classes"] == list(CLASSES)
    assert blessed.metrics["accuracy_by_class"] == {"負傷": 1.0, "死亡": 1.0, "無傷": 0.0}
    assert blessed.metrics["confusion_matrix"] == [[6, 0, 0], [0, 2, 0], [2, 0, 0]]
    assert "1 of the 11 test rows have a 'label' that the train split does not have: counted as wrong." in blessed.notes


def test_the_gate_and_the_confusion_matrix_follow_the_answered_class_and_not_the_most_probable_one(evaluate, blessed):
    verdict = evaluate(EvaluatorConfig(min_accuracy=0.3, max_accuracy_drop=None), DECIDED)
    assert verdict.metrics["accuracy"] == pytest.approx(2 / 11)
    assert verdict.metrics["confusion_matrix"] == [[0, 0, 6], [0, 0, 2], [0, 0, 2]]
    assert [bound.passed for bound in verdict.bounds] == [False, True]
    assert verdict.metrics["log_loss"] == blessed.metrics["log_loss"]


def test_answers_that_weights_decide_must_be_better_than_any_that_know_no_row(evaluate):
    """The test split has rows of three classes: whoever knows no row has a macro F1 of a third, however frequent the classes are."""
    good, bad = (evaluate(EvaluatorConfig(max_accuracy_drop=None), learnt) for learnt in (GOOD_WEIGHTS, BAD_WEIGHTS))
    assert good.bounds[-1].metric == bad.bounds[-1].metric == "f1"
    assert good.bounds[-1].bound == bad.bounds[-1].bound == pytest.approx(1 / 3)
    assert good.reasons == []
    assert [reason.partition(" is ")[0] for reason in bad.reasons] == ["f1"]


def test_numbers_have_their_own_metrics_and_must_beat_the_train_splits_mean(evaluate):
    """The model is off by two or three, the labels are tens apart."""
    upper = {"metric": "quantile_loss", "quantile": 0.9, "max": 4.0}
    bounds = [{"metric": "mae", "max": 4.0}, {"metric": "r2", "min": 0.5}, upper, upper | {"slice": {"sex": "女"}, "max": 0.1}]
    config = EvaluatorConfig(bounds=tuple(BoundConfig(**bound) for bound in bounds), max_accuracy_drop=None)
    verdict = evaluate(config, NUMBERS, NUMBERS)
    price = {
        split: np.asarray([10.0 * answer + len(sex + label) for label, answer, sex in rows])
        for split, rows in (("train", TRAIN), ("test", TEST))
    }
    assert verdict.metrics["rmse"] == pytest.approx(3.0)
    assert [bound.passed for bound in verdict.bounds] == [True, True, True, False, True]
    assert [bound.metric for bound in verdict.bounds[2:4]] == ["quantile_loss_0.9", "quantile_loss_0.9 (sex 女)"]
    assert verdict.metrics["quantile_loss_0.9"] == pytest.approx(2.7)  # the labels are 3 higher
    assert verdict.metrics["quantile_loss"] == pytest.approx(1.5)
    assert verdict.bounds[-1].bound == pytest.approx(np.sqrt(np.mean((price["test"] - price["train"].mean()) ** 2)), rel=1e-5)
    refused = evaluate(EvaluatorConfig(bounds=(BoundConfig(metric="mae", max=2.0),), max_accuracy_drop=None), NUMBERS, NUMBERS)
    assert refused.reasons == ["mae is 3.0000, which is 1.0000 above the bound of 2.0000"]


def test_pictures_in_numbered_classes_have_no_such_bound():
    numbered = PROBLEM.model_copy(update={"task": Multiclass(classes=3)})
    assert evaluator._floors(EvaluatorConfig(linear_baseline=True), numbered, "nowhere", "nowhere", "nowhere") == []


def test_a_naive_bound_leaves_out_train_rows_without_a_known_label_and_needs_test_rows(examples, model, tmp_path):
    named = tf.saved_model.load(f"{model(RESOLVED).uri}/Format-Serving")
    train, test = (f"{examples.uri}/Split-{split}" for split in ("train", "test"))
    swapped = naive.floor(RESOLVED, named, test, train)
    shares = np.bincount(numbers(TEST)[numbers(TEST) >= 0]) / 10
    assert swapped.bound.max == pytest.approx(float(np.mean(-np.log(shares[numbers(TRAIN)]))), rel=1e-6)
    with tf.io.TFRecordWriter(str(tmp_path / "data.gz"), "GZIP"):
        pass
    assert naive.floor(NUMBERS, named, train, str(tmp_path)) is None
    assert naive.floor(RESOLVED, named, train, str(tmp_path)) is None


def test_a_model_that_a_linear_one_beats_is_refused_for_that_unless_the_config_turns_it_off(evaluate):
    wide = BoundConfig(metric="calibration", max=1.0)
    reason = evaluate(EvaluatorConfig(linear_baseline=True, max_accuracy_drop=None, bounds=(wide,)), BENT).reasons[-1]
    assert reason.startswith("log_loss is ")
    assert " (a linear model's " in reason
    off = evaluate(EvaluatorConfig(linear_baseline=False, max_accuracy_drop=None, bounds=(wide,)), BENT)
    assert [bound.metric for bound in off.bounds] == ["calibration", "log_loss"]
    assert off.bounds[0].value == off.metrics["calibration"] > 0.5


def test_a_model_that_does_not_say_what_its_features_are_is_held_to_the_class_shares_alone(evaluate):
    assert len(evaluate(EvaluatorConfig(linear_baseline=True, max_accuracy_drop=None)).bounds) == 1
