"""Each step's gradient is the one of its definition, worked out here by hand for a linear model and the squared error."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.errors import ConfigError
from trainer.steps import Adversarial, GradientPenalty, Mixup, Sam, Standard

random = np.random.default_rng(0)
X = random.normal(size=(8, 3))
Y = random.normal(size=(8, 1))
W = random.normal(size=(3, 1))
SEED = tf.constant([1, 2])


def linear(optimizer=None, dtype="float32"):
    """X -> x W, with the squared error."""
    inputs = keras.Input((3,), name="numbers", dtype=dtype)
    model = keras.Model(inputs, keras.layers.Dense(1, use_bias=False)(inputs))
    model.compile(optimizer or keras.optimizers.SGD(1.0), "mean_squared_error")
    model.set_weights([W])
    return model


def gradient(w, x=X, y=Y):
    """Of the mean squared error."""
    return 2 * x.T @ (x @ w - y) / len(x)


def outcome(step, model=None, x=X, y=Y, seed=SEED):
    return step(model or linear(), tf.constant(x, tf.float32), tf.constant(y, tf.float32), seed)


def assert_gradient(step, expected):
    np.testing.assert_allclose(outcome(step).gradients[0], expected, rtol=1e-4, atol=1e-6)


def test_the_standard_steps_gradient_is_that_of_the_loss():
    assert_gradient(Standard(), gradient(W))


def test_sam_takes_the_gradient_at_rho_along_the_first_one_and_moves_no_weight():
    first = gradient(W)
    assert_gradient(Sam(rho=0.5), gradient(W + 0.5 * first / np.linalg.norm(first)))
    model = linear()
    found = outcome(Sam(rho=0.5), model)
    np.testing.assert_array_equal(model.get_weights()[0], W.astype(np.float32))
    np.testing.assert_allclose(found.loss, np.mean((X @ W - Y) ** 2), rtol=1e-5)


def test_sam_moves_as_far_where_the_loss_is_scaled():
    scale = 1024.0
    found = outcome(Sam(rho=0.5), linear(keras.optimizers.SGD(1.0, loss_scale_factor=scale))).gradients[0]
    np.testing.assert_allclose(found / scale, outcome(Sam(rho=0.5)).gradients[0], rtol=1e-4)


def test_the_gradient_penaltys_second_order_gradient_is_the_analytic_one():
    residual = X @ W - Y  # the loss of a row is its square, whose gradient by the row is 2 residual W
    penalty = np.mean(4 * residual**2 * (W**2).sum())
    slope = np.mean(8 * residual * X * (W**2).sum() + 8 * residual**2 * W.T, axis=0)[:, np.newaxis]
    assert_gradient(GradientPenalty(weight=0.3), gradient(W) + 0.3 * slope)
    np.testing.assert_allclose(outcome(GradientPenalty(weight=0.3)).loss, np.mean(residual**2) + 0.3 * penalty, rtol=1e-5)


def test_adversarial_inputs_are_epsilon_along_the_sign_of_the_losss_slope():
    moved = X + 0.2 * np.sign((X @ W - Y) * W.T)
    assert_gradient(Adversarial(epsilon=0.2, weight=0.25), 0.75 * gradient(W) + 0.25 * gradient(W, moved))


@pytest.fixture
def large_batch():
    """(model, x, y): float16 inside; a mean loss of 8,192 rows whose slope by a row is 0 in float16, and that of the row's own is not."""
    inputs = keras.Input((3,), name="numbers")
    outputs = keras.layers.Dense(1, use_bias=False, dtype="mixed_float16")(inputs)
    model = keras.Model(inputs, keras.layers.Activation("linear", dtype="float32")(outputs))
    model.compile(keras.optimizers.SGD(1.0, loss_scale_factor=1024.0), "mean_squared_error")
    model.set_weights([np.array([[0.5], [-0.25], [0.75]])])
    x = np.random.default_rng(1).random((8192, 3)).astype(np.float32)
    return model, x, model(x).numpy() - 1e-4


def test_the_gradient_penaltys_slopes_are_not_0_in_float16(large_batch):
    found = outcome(GradientPenalty(weight=1000.0), *large_batch)
    square = float((large_batch[0].get_weights()[0] ** 2).sum())
    np.testing.assert_allclose(found.loss, 1e-8 + 1000 * 4e-8 * square, rtol=0.01)
    slope = 1000 * 8e-4 * square * large_batch[1].mean(axis=0)[:, np.newaxis]  # what else there is, is a thousandth of it
    np.testing.assert_allclose(found.gradients[0] / 1024, slope, rtol=0.02)


def test_adversarial_inputs_are_moved_in_float16_too(large_batch):
    found = outcome(Adversarial(epsilon=0.2, weight=1.0), *large_batch)
    np.testing.assert_allclose(found.loss, (0.2 * 1.5) ** 2, rtol=0.01)


def test_mixup_mixes_rows_and_losses_by_one_share_and_shuffles_both_alike():
    share = float(Mixup(alpha=5.0)._share(SEED))
    order = tf.random.experimental.stateless_shuffle(tf.range(8), seed=SEED + 1).numpy()
    assert 0.5 <= share < 0.99 and (order != np.arange(8)).any()  # so that something is mixed
    mixed = share * X + (1 - share) * X[order]
    assert_gradient(Mixup(alpha=5.0), share * gradient(W, mixed) + (1 - share) * gradient(W, mixed, Y[order]))


def test_mixup_draws_by_the_seed_alone():
    same, again, other = (outcome(Mixup(alpha=1.0), seed=tf.constant(seed)).loss.numpy() for seed in ([1, 2], [1, 2], [1, 3]))
    assert same == again != other


@pytest.mark.parametrize("step", [Standard(), Sam(), GradientPenalty(), Adversarial()], ids=lambda step: step.kind)
def test_two_replicas_gradients_add_up_to_one_devices(step):
    if step.kind == "sam":
        step = Sam(rho=1e-6)  # each replica moves along its own gradient
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        model = linear()
    halves = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(X[4 * context.replica_id_in_sync_group :][:4], tf.float32)
    )
    labels = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(Y[4 * context.replica_id_in_sync_group :][:4], tf.float32)
    )

    @tf.function
    def both():
        return strategy.run(lambda x, y: step(model, x, y, SEED).gradients[0], args=(halves, labels))

    summed = sum(part.numpy() for part in strategy.experimental_local_results(both()))
    np.testing.assert_allclose(summed, outcome(step).gradients[0], rtol=1e-4)


PLACES, NUMBERS = tf.TensorSpec((None, 2), tf.int64), tf.TensorSpec((None, 3), tf.float32)


@pytest.mark.parametrize("step", [Mixup(), GradientPenalty(), Adversarial()], ids=lambda step: step.kind)
def test_inputs_that_cannot_be_moved_a_little_are_refused_by_name(step):
    with pytest.raises(ConfigError, match=rf"`trainer\.step: {step.kind}`.*Received: categories, tokens\. Set `trainer\.step: standard`"):
        step.check({"categories": PLACES, "tokens": PLACES})
    with pytest.raises(ConfigError, match="Received: one input of whole numbers"):
        step.check(PLACES)
    step.check(NUMBERS)


def test_numbers_beside_categories_can_be_moved_but_not_mixed():
    both = {"categories": PLACES, "numbers": NUMBERS}
    for step in (Sam(), GradientPenalty(), Adversarial()):
        step.check(both)
    with pytest.raises(ConfigError, match="Received: categories"):
        Mixup().check(both)
