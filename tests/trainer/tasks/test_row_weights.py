"""A row's weight counts in the loss of every task as a factor of the row's own loss, and in nothing else."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.test_constant_prediction import QUANTILE
from trainer import constant_prediction
from trainer.config import TrainerConfig
from trainer.input_pipeline import Batches
from trainer.models import build_model
from trainer.models.members import Ensemble
from trainer.steps.step import mean_of_rows
from trainer.tasks import Binary, Multiclass, Multilabel, Regression, row_weights

NUMBERS = {"numbers": tf.io.FixedLenFeature((3,), tf.float32)}
ROWS = np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32)
WEIGHTS = np.asarray([0.0, 0.5, 1.0, 2.0, 3.5, 1.0], np.float32)
CLASSES = np.asarray([0, 1, 2, 1, 0, 2])
MARKS = np.asarray([[1, 0], [0, 0], [1, 1], [0, 1], [1, 0], [0, 1]], np.uint8)
CASES = {
    "multiclass": (Multiclass(classes=3), CLASSES, {}),
    "class_weights": (Multiclass(classes=3, class_weights={"1": 5.0}, weights=(1.0, 5.0, 1.0)), CLASSES, {}),
    "smoothing": (Multiclass(classes=3), CLASSES, {"loss": "categorical_crossentropy", "label_smoothing": 0.1}),
    "focal": (Multiclass(classes=3), CLASSES, {"loss": "categorical_focal_crossentropy"}),
    "binary": (Binary(classes=2), CLASSES % 2, {}),
    "multilabel": (Multilabel(names=("a", "b")), MARKS, {}),
    "one label": (Multilabel(names=("a",)), MARKS[:, :1], {}),
    "regression": (Regression(mean=1.0, deviation=2.0), CLASSES.astype(np.float32), {}),
    "huber": (Regression(), CLASSES.astype(np.float32), {"loss": "huber"}),
    "own": (Regression(), CLASSES.astype(np.float32), {"loss": "own.py:loss", "code": {"own.py": QUANTILE}}),
}
EVERY = pytest.mark.parametrize("case", CASES)


def made(case, is_weighted=True, **settings):
    """(model, the targets of the six rows as the loss is given them without weights)."""
    task, labels, own = CASES[case]
    config = TrainerConfig(**{"model": "linear", "optimizer": "sgd", **own, **settings})
    targets = task.targets(tf.constant(labels), config)
    spec = tf.TensorSpec((None, *targets.shape[1:]), targets.dtype)
    return build_model(config, task, NUMBERS, weighted=spec if is_weighted else None), targets


def loss_and_gradients(model, y, rows=ROWS):
    with tf.GradientTape() as tape:
        loss = model.compute_loss(rows, y, model(rows, training=True), training=True)
    return float(loss), tape.gradient(loss, model.trainable_variables)


@EVERY
def test_the_loss_is_the_mean_over_the_rows_of_each_rows_loss_times_its_weight(case):
    model, targets = made(case)
    plain, _ = made(case, is_weighted=False)
    of_rows = [loss_and_gradients(plain, targets[row : row + 1], ROWS[row : row + 1])[0] for row in range(len(ROWS))]
    found, _ = loss_and_gradients(model, row_weights.packed(targets, WEIGHTS))
    np.testing.assert_allclose(found, (np.asarray(of_rows) * WEIGHTS).mean(), rtol=1e-5)


@EVERY
def test_a_row_that_weighs_2_teaches_as_two_rows_and_one_of_0_as_none(case):
    model, targets = made(case)
    weights = np.asarray([0, 1, 1, 2, 1, 1], np.float32)
    order = [1, 2, 3, 3, 4, 5]  # as many rows as before, so that the mean's divisor is the same
    _, weighed = loss_and_gradients(model, row_weights.packed(targets, weights))
    plain, _ = made(case, is_weighted=False)
    plain.set_weights(model.get_weights())
    _, repeated = loss_and_gradients(plain, tf.gather(targets, order), ROWS[order])
    for left, right in zip(weighed, repeated, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-7)


@EVERY
def test_metrics_count_rows_alike(case):
    model, targets = made(case)
    plain, _ = made(case, is_weighted=False)
    left = model.compute_metrics(ROWS, row_weights.packed(targets, WEIGHTS), model(ROWS))
    right = plain.compute_metrics(ROWS, targets, plain(ROWS))
    assert {name: float(value) for name, value in left.items()} == {name: float(value) for name, value in right.items()}
    assert set(left) - {"loss"}
    model.reset_metrics()
    assert all(float(tf.reduce_sum(tf.abs(variable))) == 0 for variable in model.metrics_variables)


@EVERY
def test_labels_come_back_as_they_were(case):
    model, targets = made(case)
    found = row_weights.targets_in(model.loss, row_weights.packed(targets, WEIGHTS))
    assert found.dtype == targets.dtype
    np.testing.assert_array_equal(found, targets)
    plain, _ = made(case, is_weighted=False)
    assert row_weights.targets_in(plain.loss, targets) is targets


def test_the_numbers_of_the_most_classes_come_back():
    targets = tf.constant([99_999, 0], tf.int64)
    model, _ = made("multiclass")
    assert row_weights.targets_in(model.loss, row_weights.packed(targets, WEIGHTS[:2])).numpy().tolist() == [99_999, 0]


def test_members_of_an_ensemble_each_weigh_their_rows():
    task, config = Multiclass(classes=3), TrainerConfig()
    inputs = keras.Input((3,))
    logits = keras.layers.Reshape((2, 3))(keras.layers.Dense(6)(inputs))
    model = Ensemble(inputs, logits)
    targets = tf.constant(CLASSES)
    loss, _ = row_weights.compiled(task.loss(config), [], tf.TensorSpec((None,), tf.int64))
    model.compile(loss=loss)
    of_members = [
        keras.losses.sparse_categorical_crossentropy(targets, model(ROWS)[:, member], from_logits=True).numpy() * WEIGHTS
        for member in (0, 1)
    ]
    found, _ = loss_and_gradients(model, row_weights.packed(targets, WEIGHTS))
    np.testing.assert_allclose(found, np.mean(of_members), rtol=1e-5)


def test_what_else_a_step_takes_the_mean_of_is_weighed_as_the_labels_loss():
    model, targets = made("multiclass")
    plain, _ = made("multiclass", is_weighted=False)
    values = tf.constant(ROWS)  # (rows, members)
    np.testing.assert_allclose(
        mean_of_rows(model, row_weights.packed(targets, WEIGHTS), values), (ROWS * WEIGHTS[:, np.newaxis]).mean(), rtol=1e-5
    )
    assert float(mean_of_rows(plain, targets, values)) == float(tf.reduce_mean(values))


def test_a_loss_and_a_metric_come_back_from_their_settings():
    loss, [metric] = row_weights.compiled(Multiclass(classes=3).loss(TrainerConfig()), ["accuracy"], tf.TensorSpec((None,), tf.int64))
    logits, y = tf.constant(ROWS), row_weights.packed(tf.constant(CLASSES), WEIGHTS)
    for each in (loss, metric):
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(each))
        assert again.name == each.name
        assert float(again(y, logits)) == float(each(y, logits))


def test_labels_stand_for_a_split_as_often_as_they_weigh():
    labels, weights = tf.constant([0, 1, 2, 1]), tf.constant([1.0, 0.0, 2.0, 1.0])
    assert constant_prediction.standing_for(labels, weights).numpy().tolist() == [0, 2, 2, 1]
    assert constant_prediction.standing_for(labels, tf.zeros(4)).numpy().tolist() == [0, 1, 2, 1]


def test_a_model_must_beat_the_answer_that_is_best_for_the_weighted_loss():
    labels, weights = (
        tf.constant([0, 0, 0, 1] * 100, tf.int64),
        tf.constant([1.0, 1.0, 1.0, 9.0] * 100),
    )  # of weights a quarter and the rest
    task, config = Binary(classes=2), TrainerConfig(model="linear")
    model = build_model(config, task, NUMBERS, weighted=tf.TensorSpec((None,), tf.int64))
    model.set_weights([np.zeros_like(each) for each in model.get_weights()])  # which gives one answer
    dataset = tf.data.Dataset.from_tensors((tf.zeros((400, 3)), row_weights.packed(labels, weights)))
    said = constant_prediction.fault(model, task, config, labels, Batches(dataset, 1, 400), weights)
    best = -(3 * np.log(0.25) + 9 * np.log(0.75)) / 4
    assert f"below that of the same answer for every row, {best:.4f}. Received: {3 * np.log(2):.4f}." in (said or "")
