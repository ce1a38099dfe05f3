"""Rows that count as much as their class: the weights, the loss, and what is served of a model that has learnt with them."""

import keras
import numpy as np
import pydantic
import pytest
import tensorflow as tf

from trainer.config import TrainerConfig
from trainer.errors import DataError
from trainer.models.members import Ensemble
from trainer.tasks import Multiclass
from trainer.tasks.class_weights import weights_of
from trainer.tasks.weighted_loss import WeightedLoss

LABELS = np.asarray([0] * 6 + [1] * 3 + [2])
NAMES = ("晴", "曇", "雨")


def fitted(class_weights):
    return Multiclass(classes=3, names=NAMES, class_weights=class_weights).fitted(tf.constant([*LABELS, -1]))


def test_balanced_classes_weigh_the_same_in_all_and_a_row_1_on_average():
    weights = np.asarray(fitted("balanced").weights)
    np.testing.assert_allclose(weights * np.bincount(LABELS), [10 / 3] * 3)
    assert weights[LABELS].mean() == pytest.approx(1)


def test_a_class_without_rows_weighs_1_and_does_not_change_the_others():
    assert weights_of("balanced", ["0", "1", "2"], np.asarray([0, 0, 0, 2])) == pytest.approx((4 / 6, 1.0, 2.0))


def test_a_mapping_weighs_single_classes_and_the_others_1():
    assert fitted({"雨": 5}).weights == (1.0, 1.0, 5.0)


def test_a_weight_for_no_class_is_refused_with_the_nearest():
    with pytest.raises(
        DataError,
        match=r"^Expected the classes in `task\.class_weights` to be some of '晴天', '曇'\. Received: '晴天天'\. Did you mean '晴天'\?$",
    ):
        weights_of({"晴天天": 2.0}, ["晴天", "曇"], LABELS)


@pytest.mark.parametrize("given", ["balaced", 3, None, {"a": 0}, {"a": -1.0}, {"a": True}, {"a": "1"}, {"a": 1e7}, {"a": float("nan")}])
def test_what_is_no_weight_is_refused_in_one_line(given):
    with pytest.raises(pydantic.ValidationError) as caught:
        Multiclass(class_weights=given)
    [error] = caught.value.errors()
    assert "task.class_weights: Expected `none`, `balanced` or a mapping of classes to numbers above 0" in error["msg"]
    assert ("Did you mean 'balanced'?" in error["msg"]) is (given == "balaced")


CONFIGS = [
    TrainerConfig(),
    TrainerConfig(loss="categorical_crossentropy", label_smoothing=0.1),
    TrainerConfig(loss="categorical_focal_crossentropy"),
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.loss)
def test_the_loss_is_the_mean_over_the_rows_of_each_rows_own_times_its_classs_weight(config):
    logits = tf.constant(np.random.default_rng(0).normal(size=(10, 3)), tf.float32)
    task, plain = fitted({"曇": 2.5, "雨": 0.5}), fitted("none")
    targets = task.targets(tf.constant(LABELS), config)
    rows = [float(plain.loss(config)(targets[row : row + 1], logits[row : row + 1])) for row in range(10)]
    expected = np.mean(np.asarray(task.weights)[LABELS] * rows)
    assert float(task.loss(config)(targets, logits)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.loss)
def test_an_ensembles_members_are_weighed_like_any_model(config):
    task, member_logits = fitted("balanced"), np.random.default_rng(1).normal(size=(10, 4, 3)).astype(np.float32)
    row = keras.Input((), dtype="int64")
    table = keras.layers.Embedding(10, 12)
    model = Ensemble(row, keras.layers.Reshape((4, 3))(table(row)))
    table.set_weights([member_logits.reshape(10, 12)])
    loss, targets = task.loss(config), task.targets(tf.constant(LABELS), config)
    model.compile(loss=loss)
    expected = np.mean([float(loss(targets, member_logits[:, member])) for member in range(4)])
    assert float(model.compute_loss(None, targets, model(tf.range(10)), training=True)) == pytest.approx(expected, rel=1e-5)


def test_without_weights_the_loss_is_kerass_own():
    assert type(fitted("none").loss(TrainerConfig())) is keras.losses.SparseCategoricalCrossentropy


def test_a_saved_weighted_loss_is_read_back():
    loss = WeightedLoss(keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1), (1.0, 3.0))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    targets, logits = tf.constant([[0.0, 1.0], [1.0, 0.0]]), tf.constant([[0.3, 0.1], [2.0, -1.0]])
    assert float(again(targets, logits)) == float(loss(targets, logits)) > 0


def test_what_minimizes_the_weighted_loss_serves_the_shares_of_the_data_and_answers_by_weight():
    """One bias for all rows: the best it can learn is the classes' shares, and each class then weighs the same."""
    task = fitted({"曇": 4.0, "雨": 2.0})
    bias, loss = tf.Variable(tf.zeros(3)), task.loss(TrainerConfig())
    optimizer = keras.optimizers.SGD(0.3)
    optimizer.build([bias])
    for _ in range(400):
        with tf.GradientTape() as tape:
            value = loss(tf.constant(LABELS), tf.tile(bias[tf.newaxis], [10, 1]))
        optimizer.apply([tape.gradient(value, bias)], [bias])
    served = task.served(task.activated(bias[tf.newaxis]))
    np.testing.assert_allclose(served["probabilities"][0], [0.6, 0.3, 0.1], atol=1e-3)
    assert served["classes"].numpy()[0].decode() == "曇"  # 0.6, 4 * 0.3, 2 * 0.1
