"""The learning rate over the steps, and what the optimizer does with the gradients before it moves a weight."""

import keras
import numpy as np
import pydantic
import pytest
import tensorflow as tf

from trainer.config import TrainerConfig
from trainer.models.optimizers import make_optimizer
from trainer.models.schedules import make_schedule

STEPS = 100


def rates(**settings):
    """The learning rate of each step."""
    schedule = make_schedule(TrainerConfig(learning_rate=0.5, **settings), STEPS)
    return np.array([float(schedule(tf.constant(step))) if callable(schedule) else schedule for step in range(STEPS + 1)])


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", {0: 0.5, 100: 0.5}),
        ("step", {0: 0.5, 50: 0.5, 51: 0.05, 75: 0.05, 76: 0.005, 100: 0.005}),
        ("exponential", {0: 0.5, 50: 0.05, 100: 0.005}),
        ("cosine", {0: 0.5, 50: 0.25, 100: 0.0}),
        ("one_cycle", {0: 0.02, 30: 0.5, 100: 5e-6}),
    ],
)
def test_each_schedule_goes_over_all_steps(schedule, expected):
    np.testing.assert_allclose(rates(schedule=schedule)[list(expected)], list(expected.values()), rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("schedule", ["constant", "step", "exponential", "cosine"])
def test_a_warm_up_rises_evenly_to_where_the_schedule_begins_and_leaves_it_the_steps_behind(schedule):
    warmed = rates(schedule=schedule, warmup=0.2)
    np.testing.assert_allclose(warmed[[0, 5, 10, 20]], [0, 0.125, 0.25, 0.5], rtol=1e-5)
    assert (np.diff(warmed[20:]) <= 1e-9).all()
    np.testing.assert_allclose(warmed[100], rates(schedule=schedule)[100], rtol=1e-4, atol=1e-8)


def test_a_schedule_ends_with_the_training_also_where_gradients_are_accumulated():
    optimizer = make_optimizer(TrainerConfig(optimizer="sgd", learning_rate=0.5, schedule="exponential", accumulate=4), 2 * STEPS)
    variable = keras.Variable([0.0])
    optimizer.build([variable])
    for _ in range(STEPS):
        optimizer.apply([tf.constant([0.0])], [variable])
    np.testing.assert_allclose(float(optimizer.learning_rate), 0.05, rtol=1e-4)


def moved(gradients, **settings):
    """Where weights of 0 are after so many updates by `sgd` at a rate of 1."""
    variables = [keras.Variable([0.0, 0.0]), keras.Variable([0.0])]
    optimizer = make_optimizer(TrainerConfig(optimizer="sgd", learning_rate=1.0, **settings), len(gradients))
    optimizer.build(variables)
    for gradient in gradients:
        optimizer.apply([tf.constant(part) for part in gradient], variables)
    return [variable.numpy().tolist() for variable in variables]


GRADIENT = [[3.0, -4.0], [12.0]]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [[-3, 4], [-12]]),
        ({"clip_value": 3.5}, [[-3, 3.5], [-3.5]]),
        ({"clip_each_norm": 1.0}, [[-0.6, 0.8], [-1]]),
        ({"clip_norm": 1.0}, [[-3 / 13, 4 / 13], [-12 / 13]]),
    ],
)
def test_gradients_are_clipped_by_value_by_norm_and_by_their_common_norm(settings, expected):
    for found, wanted in zip(moved([GRADIENT], **settings), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_accumulated_batches_move_the_weights_once_by_their_mean():
    assert moved([[[1.0, 0.0], [2.0]], [[3.0, 0.0], [4.0]]], accumulate=2) == [[-2.0, 0.0], [-3.0]]
    assert moved([[[1.0, 0.0], [2.0]]], accumulate=2) == [[0.0, 0.0], [0.0]]


def test_two_ways_to_clip_and_a_warm_up_before_one_cycle_are_refused():
    with pytest.raises(pydantic.ValidationError, match=r"one of the ways to clip a gradient\. Received: clip_norm, clip_value"):
        TrainerConfig(clip_norm=1.0, clip_value=1.0)
    with pytest.raises(pydantic.ValidationError, match=r"trainer\.warmup: Expected 0 with `trainer\.schedule: one_cycle`.*Received: 0\.1"):
        TrainerConfig(schedule="one_cycle", warmup=0.1)
