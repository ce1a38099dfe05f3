"""The direction of virtual adversarial training is that of its definition: where the answers of a model move fastest."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax, softmax

from trainer.errors import ConfigError
from trainer.steps import VirtualAdversarial
from trainer.tasks import Multiclass, Regression

random = np.random.default_rng(0)
X, W = random.normal(size=(6, 3)), random.normal(size=(3, 4))
Y = random.integers(4, size=6)
SEED = tf.constant([1, 2])
TASK = Multiclass(classes=4)


def linear(dropout=0.0):
    inputs = keras.Input((3,))
    x = keras.layers.Dropout(dropout, seed=1)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(4, use_bias=False)(x))
    model.compile(keras.optimizers.SGD(1.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.set_weights([W, *model.get_weights()[1:]])
    return model


def directions(iterations, dropout=0.0):
    step = VirtualAdversarial(iterations=iterations).for_task(TASK)
    x = tf.constant(X, tf.float32)
    [found] = step._directions(linear(dropout), x, tf.constant(softmax(X @ W, -1), tf.float32), SEED)
    return found.numpy()


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_the_power_method_ends_at_the_dominant_eigenvector_of_the_fisher_information(dropout):
    found = directions(50, dropout)
    for row, p in enumerate(softmax(X @ W, -1)):
        fisher = W @ (np.diag(p) - np.outer(p, p)) @ W.T
        values, vectors = np.linalg.eigh(fisher)
        assert values[-1] > 1.2 * values[-2]  # so that 50 steps are enough
        assert abs(found[row] @ vectors[:, -1]) > 0.999
        np.testing.assert_allclose(np.linalg.norm(found[row]), 1, rtol=1e-5)


def test_one_iteration_is_one_product_with_the_fisher_information():
    start = tf.random.stateless_normal((6, 3), SEED).numpy()
    for row, (p, found) in enumerate(zip(softmax(X @ W, -1), directions(1), strict=True)):
        product = W @ (np.diag(p) - np.outer(p, p)) @ W.T @ start[row]
        assert found @ product / np.linalg.norm(product) > 0.999


def test_loss_and_gradient_are_those_of_the_sum_with_the_answers_held():
    step = VirtualAdversarial(epsilon=0.7, weight=2.0).for_task(TASK)
    found = step(linear(), tf.constant(X, tf.float32), tf.constant(Y), SEED)
    moved, p = X + 0.7 * directions(1), softmax(X @ W, -1)
    q = log_softmax(moved @ W, -1)
    loss = -np.mean(log_softmax(X @ W, -1)[np.arange(6), Y]) + 2 * np.mean(np.sum(p * (np.log(p) - q), -1))
    np.testing.assert_allclose(found.loss, loss, rtol=1e-4)
    gradient = X.T @ (p - np.eye(4)[Y]) / 6 + 2 * moved.T @ (np.exp(q) - p) / 6
    np.testing.assert_allclose(found.gradients[0], gradient, rtol=1e-3, atol=1e-5)


def test_no_label_is_asked_for_the_direction():
    step = VirtualAdversarial(weight=1.0).for_task(TASK)
    first, other = (step(linear(), tf.constant(X, tf.float32), tf.constant(y), SEED) for y in (Y, (Y + 1) % 4))
    logs = log_softmax(X @ W, -1)
    apart = [found.loss + np.mean(logs[np.arange(6), y]) for found, y in ((first, Y), (other, (Y + 1) % 4))]
    np.testing.assert_allclose(*apart, rtol=1e-4)


def test_a_row_whose_answers_do_not_change_is_not_moved_and_gives_no_nan():
    model = linear()
    model.set_weights([np.zeros_like(W)])
    found = VirtualAdversarial().for_task(TASK)(model, tf.constant(X, tf.float32), tf.constant(Y), SEED)
    np.testing.assert_allclose(found.loss, np.log(4), rtol=1e-5)
    assert np.isfinite(found.gradients[0]).all()


def test_the_norm_is_over_all_pictures_and_numbers_of_a_row_and_categories_stay():
    inputs = {"a": keras.Input((2,), name="a"), "b": keras.Input((1,), name="b"), "c": keras.Input((1,), name="c", dtype="int64")}
    joined = keras.layers.Concatenate()([inputs["a"], inputs["b"], keras.layers.Flatten()(keras.layers.Embedding(3, 2)(inputs["c"]))])
    model = keras.Model(inputs, keras.layers.Dense(1)(joined))
    x = {"a": tf.ones((5, 2)), "b": tf.ones((5, 1)), "c": tf.ones((5, 1), tf.int64)}
    step = VirtualAdversarial().for_task(Regression())
    parts = step._directions(model, x, model(x), SEED)
    np.testing.assert_allclose(np.linalg.norm(np.concatenate(parts, axis=1), axis=1), 1, rtol=1e-4)


def test_inputs_of_categories_alone_are_refused():
    step = VirtualAdversarial().for_task(TASK)
    with pytest.raises(ConfigError, match=r"`trainer\.step: virtual_adversarial`.*Received: categories\. Set `trainer\.step: standard`"):
        step.check({"categories": tf.TensorSpec((None, 2), tf.int64)})
