"""A model that is no better than one answer for every row is not exported, and both losses are said."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.interrupted import DIGITS
from tests.trainer.test_run import write_with_the_next_label
from trainer import fit, gradient_tape
from trainer.config import TrainerConfig
from trainer.constant_prediction import RowLosses, compared, row_losses
from trainer.errors import TrainingError
from trainer.models.members import average
from trainer.tasks import Multiclass, Multilabel, Regression

MODULES = [fit, gradient_tape]
IDS = ["fit", "gradient_tape"]
CLASSES = np.repeat(np.arange(3), [70, 25, 5])
NUMBERS = np.random.default_rng(1).gamma(1.0, 20.0, 400).astype(np.float32)
MARKS = (np.random.default_rng(2).random((300, 3)) < [0.5, 0.1, 0.9]).astype(np.uint8)
QUANTILE = """
import tensorflow as tf

def loss(y_true, y_pred):
    difference = y_true - y_pred
    return tf.maximum(0.9 * difference, -0.1 * difference)
"""
ONLY_OF_DIFFERENT_ROWS = """
import tensorflow as tf

def loss(y_true, y_pred):
    same = tf.reduce_all(tf.equal(y_pred, y_pred[:1]))
    with tf.control_dependencies([tf.debugging.Assert(tf.logical_not(same), ["all rows have one answer"])]):
        return tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(y_true, tf.int32), y_pred)
"""


@pytest.fixture
def fn_args(scaled, tmp_path):
    """fn_args(module, **settings): of pictures whose labels are out of step with them in the eval split."""
    write_with_the_next_label(scaled.files("eval"), tmp_path / "eval.gz")

    def make(module, **settings):
        made = scaled.fn_args(tmp_path, **{**DIGITS, "weights": "last", **settings, "loop": module.__name__.removeprefix("trainer.")})
        made.eval_files = [str(tmp_path / "eval.gz")]
        return made

    return make


def of_the_best(task, config, labels):
    """(the loss of the best of the task's constants, the least one that an optimiser finds) on the labels themselves."""
    labels = tf.constant(labels)
    task = task.fitted(labels)
    loss, y = task.loss(config), tf.cast(task.targets(labels, config), tf.float32)
    constants = task.constant_logits(labels)
    found = compared([row_losses(loss, y, tf.zeros((len(labels), task.outputs)), constants)]).constant
    logits, optimizer = tf.Variable(tf.zeros((1, task.outputs))), keras.optimizers.Adam(0.03)
    for _ in range(400):
        with tf.GradientTape() as tape:
            mean = tf.reduce_mean(loss.call(y, tf.tile(logits, [len(labels), 1])))
        optimizer.apply([tape.gradient(mean, logits)], [logits])
    return found, float(mean)


@pytest.mark.parametrize(
    ("task", "settings", "labels", "nearness"),
    [
        (Multiclass(classes=3), {}, CLASSES, 0.002),
        (Multiclass(classes=3, class_weights="balanced"), {}, CLASSES, 0.002),
        (Multiclass(classes=3), {"loss": "categorical_crossentropy"}, CLASSES, 0.002),
        (Multiclass(classes=3), {"loss": "categorical_crossentropy", "label_smoothing": 0.1}, CLASSES, 0.05),
        (Multiclass(classes=3), {"loss": "categorical_focal_crossentropy"}, CLASSES, 0.05),
        (Multilabel(names=("a", "b", "c")), {}, MARKS, 0.002),
        (Multilabel(names=("a", "b", "c")), {"loss": "binary_focal_crossentropy"}, MARKS, 0.05),
        (Multilabel(names=("a", "b", "c")), {"loss": "binary_crossentropy", "label_smoothing": 0.1}, MARKS, 0.05),
        (Regression(), {}, NUMBERS, 0.002),
        (Regression(), {"loss": "mean_absolute_error"}, NUMBERS, 0.002),
        (Regression(), {"loss": "huber"}, NUMBERS, 0.01),
        (Regression(), {"loss": "own.py:loss", "code": {"own.py": QUANTILE}}, NUMBERS, 0.01),
    ],
    ids=lambda each: str(each)[:40],
)
def test_one_of_the_constants_is_about_the_best_there_is_by_the_compiled_loss(task, settings, labels, nearness):
    found, least = of_the_best(task, TrainerConfig(**settings), labels)
    assert least * (1 - 1e-3) <= found <= least * (1 + nearness)


def rows(model, constant, spread=1.0):
    """One batch, in which the logits differ by `spread`."""
    return RowLosses(np.float32(model), np.float32([constant]), np.zeros(1, np.float32), np.full(1, spread, np.float32))


def test_a_model_that_is_worse_by_less_than_two_standard_errors_has_learnt_and_one_that_is_worse_by_more_has_not():
    differences = np.random.default_rng(0).normal(0.0, 1.0, 100)
    differences -= differences.mean()
    error = differences.std(ddof=1) / 10
    for by, expected in ((-0.5, True), (1.9, True), (2.1, False)):
        found = compared([rows(2 + differences[:40] + by * error, [2.0] * 40), rows(2 + differences[40:] + by * error, [2.0] * 60)])
        assert found.has_learnt == expected
        assert (found.model, found.constant) == (pytest.approx(2 + by * error, rel=1e-5), 2.0)


def test_one_answer_for_every_row_is_nothing_learnt_however_lucky_it_is():
    better = rows([0.5, 0.6, 0.5], [0.7, 0.7, 0.7], spread=1e-4)
    assert not compared([better]).has_learnt
    assert compared([better, better._replace(most=np.float32([0.5]))]).has_learnt  # in another batch the answer is another one


def test_an_ensembles_answer_is_its_members_average():
    members = tf.constant([[[2.0, 0.0], [0.0, 1.0]]])
    loss, y = keras.losses.SparseCategoricalCrossentropy(from_logits=True), tf.constant([0])
    found = row_losses(loss, y, average(members, "softmax"), tf.zeros((1, 2)))
    probability = np.mean([np.exp(2) / (np.exp(2) + 1), 1 / (1 + np.e)])
    np.testing.assert_allclose(found.model, [-np.log(probability)], rtol=1e-5)
    np.testing.assert_allclose(found.constants, [[np.log(2)]], rtol=1e-5)


def test_where_labels_and_rows_are_out_of_step_both_loops_say_so_with_the_same_figures_and_export_nothing(fn_args):
    said = []
    for module in MODULES:
        given = fn_args(module, learning_rate=0.01)
        with pytest.raises(TrainingError) as caught:
            module.run_fn(given)
        assert not Path(given.serving_model_dir).exists()
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert "\n" not in said[0]
    found = re.match(
        r"Expected a model that has learnt: on the eval split a `loss` below that of the same answer for every row, (\d\.\d{4})\. "
        r"Received: (\d\.\d{4})\. Nothing is exported\. Try another `trainer\.learning_rate` than 0\.01 or more `trainer\.epochs` than 3, "
        r"and look whether labels and rows are in step\. ",
        said[0],
    )
    constant, received = map(float, found.groups())
    assert constant == pytest.approx(np.log(10), abs=0.05)  # the digits are about equally frequent
    assert received > constant


@pytest.mark.parametrize("module", MODULES, ids=IDS)
def test_it_is_exported_where_the_settings_say_so_and_is_not_trained_again(fn_args, module):
    given = fn_args(module, learning_rate=0.01, checkpoints={"epochs": 1})
    with pytest.raises(TrainingError, match="has learnt"):
        module.run_fn(given)
    again = fn_args(module, learning_rate=0.01, checkpoints={"epochs": 1}, must_learn=False)
    begins = []

    def train(model, train_batches, *others):
        begins.append(train_batches.begin)
        return module.train(model, train_batches, *others)

    fit.run(again, train)
    assert Path(again.serving_model_dir).exists()
    assert begins == [(3, 0)]


@pytest.mark.parametrize("module", MODULES, ids=IDS)
def test_a_loss_of_the_users_own_that_cannot_be_taken_of_one_answer_hinders_no_export(fn_args, module, caplog):
    given = fn_args(module, learning_rate=0.01, loss="own.py:loss", code={"own.py": ONLY_OF_DIFFERENT_ROWS})
    module.run_fn(given)
    assert Path(given.serving_model_dir).exists()
    assert re.search("Whether the model has learnt is not known, .*one answer", caplog.text)
