"""The meta-gradient is that of the loss after the inner steps, by finite differences of a NumPy version of it; tasks are what they say."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax, softmax

from trainer.steps import Maml
from trainer.tasks import Multiclass

random = np.random.default_rng(0)
Y = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 3, 0, 1])  # of 3 there is one row, of 4 none
X, W = random.normal(size=(12, 4)), random.normal(size=(4, 5))
SEED = tf.constant([1, 2])
TASK = Multiclass(classes=5)


def linear(loss=None):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(5, use_bias=False)(inputs))
    model.compile(keras.optimizers.SGD(1.0), loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.set_weights([W])
    return model


def drawn(step, number=0, y=Y):
    return [part.numpy() for part in step.for_task(TASK)._task_of(tf.constant(y), SEED + 2 * number)]


def outcome(step, model=None, y=Y):
    return step.for_task(TASK)(model or linear(), tf.constant(X, tf.float32), tf.constant(y), SEED)


def loss(w, rows, places):
    return -np.mean(log_softmax(X[rows] @ w, -1)[np.arange(rows.sum()), places[Y[rows]]])


def slope(w, rows, places):
    return X[rows].T @ (softmax(X[rows] @ w, -1) - np.eye(5)[places[Y[rows]]]) / rows.sum()


def adapted(step, w, support, places):
    for _ in range(step.inner_steps):
        w = w - step.inner_rate * slope(w, support, places)
    return w


def meta_loss(step, w):
    tasks = [drawn(step, number) for number in range(step.tasks)]
    return np.mean([loss(adapted(step, w, support, places), query, places) for support, query, places in tasks])


def by_differences(function, w, by=1e-5):
    moves = by * np.eye(w.size).reshape(-1, *w.shape)
    return np.array([(function(w + move) - function(w - move)) / (2 * by) for move in moves]).reshape(w.shape)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("inner_steps", [1, 3])
def test_the_meta_gradient_is_that_of_the_loss_after_the_inner_steps(inner_steps, shuffle):
    step = Maml(inner_steps=inner_steps, inner_rate=0.7, ways=2, shots=1, tasks=3, shuffle_classes=shuffle)
    model = linear()
    found = outcome(step, model)
    expected = by_differences(lambda w: meta_loss(step, w), W)
    np.testing.assert_allclose(found.gradients[0], expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found.loss, meta_loss(step, W), rtol=1e-5)
    np.testing.assert_array_equal(model.get_weights()[0], W.astype(np.float32))
    np.testing.assert_allclose(found.predictions, X @ W, rtol=1e-4)
    first = outcome(step.model_copy(update={"first_order": True})).gradients[0]
    assert np.abs(first - expected).max() > 0.01  # the second order is there, and counts


def test_of_first_order_it_is_the_gradient_where_the_inner_steps_end():
    step = Maml(first_order=True, inner_steps=2, inner_rate=0.7, tasks=1)
    support, query, places = drawn(step)
    expected = slope(adapted(step, W, support, places), query, places)
    np.testing.assert_allclose(outcome(step).gradients[0], expected, rtol=1e-4, atol=1e-6)


def test_one_hot_labels_are_as_good_as_numbers():
    step = Maml(shuffle_classes=True)
    one_hot = outcome(step, linear(keras.losses.CategoricalCrossentropy(from_logits=True)), np.eye(5, dtype=np.float32)[Y])
    np.testing.assert_allclose(one_hot.gradients[0], outcome(step).gradients[0], rtol=1e-5, atol=1e-7)


def test_a_task_has_so_many_classes_and_rows_of_each_in_its_support_and_the_others_in_its_query():
    for number in range(20):
        support, query, places = drawn(Maml(ways=2, shots=1), number)
        classes = np.unique(Y[support])
        assert len(classes) == 2 and 3 not in classes and 4 not in classes
        assert not (support & query).any()
        np.testing.assert_array_equal(np.bincount(Y[support], minlength=5)[classes], [1, 1])
        np.testing.assert_array_equal(support | query, np.isin(Y, classes))
        np.testing.assert_array_equal(places, np.arange(5))
    support, query, _ = drawn(Maml(ways=5, shots=9))
    np.testing.assert_array_equal(np.bincount(Y[support], minlength=5), [2, 2, 1, 0, 0])  # half of 4, 4 and 3
    np.testing.assert_array_equal(np.bincount(Y[query], minlength=5), [2, 2, 2, 0, 0])


def test_shuffled_classes_change_places_among_themselves():
    seen = set()
    for number in range(30):
        support, _, places = drawn(Maml(ways=2, shuffle_classes=True), number)
        classes = np.unique(Y[support])
        assert sorted(places[classes]) == sorted(classes)
        others = np.setdiff1d(np.arange(5), classes)
        np.testing.assert_array_equal(places[others], others)
        seen.add((*classes, *places[classes]))
    assert len(seen) == 6  # three pairs, each both ways


def test_tasks_differ_with_their_number_and_the_seed():
    splits = {tuple(drawn(Maml(ways=2, shots=1), number)[0]) for number in range(10)}
    assert len(splits) > 5


def test_a_batch_without_two_rows_of_a_class_is_its_own_support_and_query():
    support, query, _ = drawn(Maml(), y=np.array([0, 1, 4]))
    assert support.all() and query.all()
    found = Maml().for_task(TASK)(linear(), tf.constant(X[:3], tf.float32), tf.constant([0, 1, 4]), SEED)
    assert np.isfinite(found.loss) and np.abs(found.gradients[0]).max() > 0
