"""Whether my_code.py still has a step: `pytest test_my_code.py`."""

import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

sys.path.insert(0, str(Path(__file__).resolve().parent))

from my_code import step

SEED = tf.constant([1, 2])


@pytest.fixture
def model():
    """Four numbers -> logits of three classes."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.compile(keras.optimizers.SGD(0.5), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


@pytest.fixture
def batch():
    """64 rows, of which each belongs to the class of the largest of its first three numbers."""
    x = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    return tf.constant(x), tf.constant(x[:, :3].argmax(axis=1))


def test_there_is_a_scalar_loss_a_gradient_for_each_variable_and_a_prediction_for_each_row(model, batch):
    loss, gradients, predictions = step(model, *batch, SEED)
    assert loss.shape == () and np.isfinite(loss)
    assert [gradient.shape for gradient in gradients] == [variable.shape for variable in model.trainable_variables]
    assert predictions.shape == (64, 3)


def test_it_does_the_same_in_a_graph(model, batch):
    eager, graph = step(model, *batch, SEED), tf.function(lambda *inputs: step(model, *inputs), autograph=False)(*batch, SEED)
    tf.nest.map_structure(lambda left, right: np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-6), tuple(eager), tuple(graph))


def test_the_gradients_are_those_of_the_loss(model, batch):
    kernel, *_ = model.trainable_variables
    _, (gradient, *_), _ = step(model, *batch, SEED)
    before, direction = kernel.numpy(), np.sign(gradient)
    losses = []
    for way in (1, -1):
        kernel.assign(before + way * 1e-3 * direction)
        losses.append(float(step(model, *batch, SEED)[0]))
    np.testing.assert_allclose((losses[0] - losses[1]) / 2e-3, np.sum(gradient * direction), rtol=0.02)


def test_the_gradients_are_scaled_as_the_optimizer_asks_and_the_loss_is_not(model, batch):
    loss, (gradient, *_), _ = step(model, *batch, SEED)
    model.compile(keras.optimizers.SGD(0.5, loss_scale_factor=1024.0), model.loss)
    same, (scaled, *_), _ = step(model, *batch, SEED)
    np.testing.assert_allclose(same, loss, rtol=1e-5)
    np.testing.assert_allclose(scaled, 1024 * gradient, rtol=1e-3, atol=1e-3)


def test_steps_lower_the_loss(model, batch):
    first = float(step(model, *batch, SEED)[0])
    for number in range(50):
        _, gradients, _ = step(model, *batch, tf.constant([1, number]))
        model.optimizer.apply(gradients, model.trainable_variables)
    assert float(step(model, *batch, SEED)[0]) < first - 0.2
