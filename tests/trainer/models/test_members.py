"""An ensemble in one network: its loss, its metrics and its prediction, in both loops."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer import fit, gradient_tape
from trainer.config import TrainerConfig
from trainer.input_pipeline import Batches
from trainer.models.members import Ensemble, average
from trainer.models.optimizers import FusedAdamW
from trainer.models.tabular import build
from trainer.strategy import make_strategy
from trainer.tasks import Multiclass

LOOPS = {"fit": fit, "gradient_tape": gradient_tape}


def fixed_ensemble(logits, activation):
    """A model that gives `logits`, float (rows, members, outputs), for the numbers of the rows."""
    members, outputs = logits.shape[1:]
    row = keras.Input((), dtype="int64")
    table = keras.layers.Embedding(len(logits), members * outputs)
    model = Ensemble(row, keras.layers.Reshape((members, outputs))(table(row)), activation=activation)
    table.set_weights([logits.reshape(len(logits), -1)])
    return model


@pytest.mark.parametrize(("activation", "function"), [("softmax", tf.nn.softmax), ("sigmoid", tf.nn.sigmoid), ("linear", tf.identity)])
def test_the_average_is_that_of_the_members_probabilities(activation, function):
    logits = tf.constant(np.random.default_rng(0).normal(size=(5, 4, 3), scale=3), tf.float32)
    together = average(logits, activation)
    assert together.shape == (5, 3)
    np.testing.assert_allclose(function(together), tf.reduce_mean(function(logits), axis=1), rtol=1e-5)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_certain_members_have_a_finite_average(activation):
    together = average(tf.constant([[[300.0, -300.0], [200.0, -200.0]]]), activation)
    assert np.isfinite(together).all()


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match=r"one of \['softmax', 'sigmoid', 'linear'\]\. Received: 'relu'"):
        average(tf.zeros((1, 2, 3)), "relu")


@pytest.mark.parametrize(
    ("activation", "loss", "labels"),
    [
        ("softmax", keras.losses.SparseCategoricalCrossentropy(from_logits=True), [0, 2, 1]),
        ("softmax", keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1), [[1.0, 0, 0], [0, 0, 1], [0, 1, 0]]),
        ("sigmoid", keras.losses.BinaryCrossentropy(from_logits=True), [[1.0, 0, 1], [0, 0, 1], [0, 1, 0]]),
        ("linear", keras.losses.MeanSquaredError(), [[1.0, 0.5, 1], [0, 0, 1], [0, 1, 0]]),
    ],
)
def test_training_takes_each_members_loss_and_judging_that_of_their_average(activation, loss, labels):
    logits = np.random.default_rng(0).normal(size=(3, 4, 3)).astype(np.float32)
    model = fixed_ensemble(logits, activation)
    model.compile(loss=loss)
    rows, labels, weights = tf.range(3), tf.constant(labels), tf.constant([1.0, 2.0, 0.5])
    for given in (None, weights):
        single = [loss(labels, logits[:, member], given) for member in range(4)]
        np.testing.assert_allclose(model.compute_loss(rows, labels, model(rows), given, training=True), np.mean(single), rtol=1e-5)
        judged = model.compute_loss(rows, labels, model(rows), given, training=False)
        np.testing.assert_allclose(judged, loss(labels, average(logits, activation), given), rtol=1e-5)


def test_metrics_see_the_average():
    # Two members are wrong by a little, one is right by a lot.
    model = fixed_ensemble(np.array([[[0.1, 0.0], [0.1, 0.0], [0.0, 9.0]]], np.float32), "softmax")
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    result = model.evaluate(tf.constant([0]), tf.constant([1]), verbose=0, return_dict=True)
    assert result["accuracy"] == 1.0
    np.testing.assert_allclose(result["loss"], -np.log((2 / (1 + np.exp(0.1)) + 1) / 3), rtol=1e-3)


def trained(loop, strategy, task):
    """(weights, history) after two epochs on 90 rows of numbers and categories, in batches of 32."""
    random = np.random.default_rng(3)
    x = {
        "numbers": random.normal(size=(90, 3)).astype(np.float32),
        "ranks": random.uniform(size=(90, 3)).astype(np.float32),
        "categories": random.integers(0, 7, size=(90, 2)),
    }
    rows = tf.data.Dataset.from_tensor_slices((x, random.integers(0, 3, size=90))).batch(32)
    inputs = {name: tf.io.FixedLenFeature(values.shape[1:], tf.as_dtype(values.dtype)) for name, values in x.items()}
    strategy = make_strategy(strategy)
    with strategy.scope():
        keras.utils.set_random_seed(1)
        model = build(inputs, 3, 0.2, sizes={"categories": 7})
        optimizer = FusedAdamW(0.002, weight_decay=0.01, global_clipnorm=1.0)
        model.compile(optimizer, task.loss(TrainerConfig()), metrics=["accuracy"], jit_compile=False)
        model.optimizer.build(model.trainable_variables)
    history = LOOPS[loop].train(model, Batches(rows.repeat(2), 3, 90), Batches(rows, 3, 90), strategy, TrainerConfig(epochs=2), [])
    return model.get_weights(), history.history


@pytest.mark.parametrize("strategy", ["one_device", pytest.param("mirrored", marks=pytest.mark.slow)])
@pytest.mark.parametrize("weights", [None, (0.5, 1.0, 3.0)], ids=["plain", "weighted"])
def test_both_loops_end_with_identical_weights_and_histories(strategy, weights):
    (fitted, history), (taped, other) = (trained(loop, strategy, Multiclass(classes=3, weights=weights)) for loop in LOOPS)
    for left, right in zip(fitted, taped, strict=True):
        np.testing.assert_array_equal(left, right)
    assert history == other
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
