"""The policy gradient, averaged over all that could have been drawn, is that of the expected cost, worked out here by NumPy."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from pydantic import PrivateAttr
from scipy.special import softmax

from trainer.errors import ConfigError
from trainer.gradient_tape import train
from trainer.models.members import Ensemble
from trainer.run import run
from trainer.steps import Reinforce
from trainer.tasks import Binary, Multiclass

random = np.random.default_rng(0)
X, W = random.normal(size=(3, 4)), random.normal(size=(4, 3))
Y = np.array([0, 2, 1])
SEED = tf.constant([1, 2])
TASK = Multiclass(classes=3, names=("cat", "dog", "pig"))
COSTS = (("cat", "dog", 5.0), ("pig", "cat", 0.25), ("dog", "dog", 0.5))
MATRIX = np.array([[0, 5, 1], [1, 0.5, 1], [0.25, 1, 0]])  # by the true class, then by the answered one


class Drawing(Reinforce):
    """Draws what it is told."""

    _told = PrivateAttr(None)

    def _drawn(self, logits, seed):
        return tf.constant(self._told, tf.int32)


def linear(members=None, optimizer=None):
    inputs = keras.Input((4,))
    logits = keras.layers.Dense(3, use_bias=False)(inputs)
    if members:
        logits = keras.layers.Reshape((members, 3))(keras.layers.Concatenate()([logits] * members))
    model = (Ensemble if members else keras.Model)(inputs, logits)
    model.compile(optimizer or keras.optimizers.SGD(1.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.set_weights([W])
    return model


def outcome(step, told=None, model=None, seed=SEED):
    step = step.for_task(TASK)
    if told is not None:
        step._told = told
    return step(model or linear(), tf.constant(X, tf.float32), tf.constant(Y), seed)


P = softmax(X @ W, -1)
EXPECTED = np.sum(P * MATRIX[Y], -1)


def exact(entropy):
    """The gradient by W of the mean expected cost less `entropy` times the entropy."""
    by_logits = P * (MATRIX[Y] - EXPECTED[:, None])
    logs = np.log(P)
    by_logits += entropy * P * (logs - np.sum(P * logs, -1, keepdims=True))
    return X.T @ by_logits / 3


@pytest.mark.parametrize("baseline", ["expected", "batch", "none"])
def test_over_all_that_can_be_drawn_the_gradient_is_that_of_the_expected_cost(baseline):
    step, mean = Drawing(costs=COSTS, baseline=baseline, entropy=0.3, weight=1.0), 0
    for told in itertools.product(range(3), repeat=3):
        mean = mean + np.prod(P[np.arange(3), told]) * outcome(step, told).gradients[0].numpy()
    np.testing.assert_allclose(mean, exact(0.3), rtol=1e-4, atol=1e-6)


def test_the_loss_is_the_expected_cost_less_the_entropys_part():
    found = outcome(Reinforce(costs=COSTS, entropy=0.3, weight=1.0))
    np.testing.assert_allclose(found.loss, np.mean(EXPECTED + 0.3 * np.sum(P * np.log(P), -1)), rtol=1e-5)
    np.testing.assert_allclose(found.predictions, X @ W, rtol=1e-5)


def test_by_its_weight_it_is_mixed_with_the_loss_by_the_labels():
    found, alone = outcome(Reinforce(weight=0.25)), outcome(Reinforce(weight=1.0))
    by_labels = X.T @ (P - np.eye(3)[Y]) / 3
    np.testing.assert_allclose(found.gradients[0], 0.75 * by_labels + 0.25 * alone.gradients[0].numpy(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.loss, -0.75 * np.mean(np.log(P[np.arange(3), Y])) + 0.25 * alone.loss, rtol=1e-4)


def spread(baseline):
    step = Drawing(costs=(*COSTS, *((a, b, 5.0) for a, b in [("dog", "pig"), ("pig", "dog")])), baseline=baseline, entropy=0.0, weight=1.0)
    drawn = [tuple(told) for told in itertools.product(range(3), repeat=3)]
    found = np.stack([outcome(step, told).gradients[0].numpy() for told in drawn])
    weights = np.array([np.prod(P[np.arange(3), told]) for told in drawn])[:, None, None]
    return np.sum(weights * (found - np.sum(weights * found, 0)) ** 2)


def test_the_expected_cost_as_baseline_lowers_the_variance():
    assert spread("expected") < 0.8 * spread("none")


def test_it_draws_by_the_seed_alone_and_as_probably_as_the_model_says():
    first, again, *others = (outcome(Reinforce(), seed=tf.constant(seed)).gradients[0].numpy() for seed in ([1, 2], [1, 2], [1, 3], [1, 4]))
    np.testing.assert_array_equal(first, again)
    assert any((first != other).any() for other in others)
    drawn = Reinforce()._drawn(tf.tile(tf.constant(np.log(P[:1])), [20_000, 1]), SEED)
    np.testing.assert_allclose(np.bincount(drawn, minlength=3) / 20_000, P[0], atol=0.015)


def test_each_member_of_an_ensemble_has_its_rows_label():
    model = linear(members=2)
    found = outcome(Reinforce(costs=COSTS, entropy=0.0, weight=1.0), model=model)
    np.testing.assert_allclose(found.loss, np.mean(EXPECTED), rtol=1e-5)
    assert found.predictions.shape == (3, 2, 3)


def test_gradients_are_scaled_as_the_optimizer_wants_it():
    found = outcome(Reinforce(), model=linear(optimizer=keras.optimizers.SGD(1.0, loss_scale_factor=1024.0))).gradients[0]
    np.testing.assert_allclose(found / 1024, outcome(Reinforce()).gradients[0], rtol=1e-5)


def test_classes_with_names_are_checked_once_they_are_known():
    costs = (("cat", "pgi", 2.0),)
    assert Reinforce(costs=costs).fault(Multiclass(), "auto") is None
    assert Reinforce(costs=costs).fault(TASK, "auto") == (
        "trainer.step.costs: Expected classes, some of 'cat', 'dog', 'pig'. Received: 'pgi'. Did you mean 'pig'?"
    )
    assert Reinforce(costs=(("yes", "no", 2.0),)).fault(Binary(classes=2, names=("no", "yes")), "auto") is None


def test_the_run_refuses_a_class_that_there_is_not(scaled, tmp_path):
    step = {"kind": "reinforce", "costs": [["3", "thirteen", 2.0]]}
    with pytest.raises(ConfigError, match=r"Expected classes, some of '0', .*Received: 'thirteen'\."):
        run(scaled.fn_args(tmp_path, loop="gradient_tape", step=step, model="mlp", epochs=1), train)


def test_a_mistake_that_costs_much_is_made_less(scaled, tmp_path):
    from tests.trainer.steps.test_training import taped

    pixels, labels = tf.constant(scaled.images / 255, tf.float32), scaled.labels
    made = []
    for costs in ((), tuple(("8", str(other), 50.0) for other in range(10) if other != 8)):
        model, _ = taped(scaled, tmp_path, step=Reinforce(costs=costs), epochs=8)
        answered = np.argmax(model(pixels, training=False), -1)
        made.append(np.sum((labels == 8) & (answered != 8)))
    assert made[1] < made[0]
