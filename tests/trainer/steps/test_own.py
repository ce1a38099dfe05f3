"""A step of the user's own trains like any other, and what is wrong with one is one line with its place."""

import re

import pytest
import tensorflow as tf

from tests.trainer.steps.test_gradients import SEED, W, X, Y, gradient, linear
from tests.trainer.steps.test_training import taped
from tests.trainer.test_loops import assert_same
from trainer.cause import one_line
from trainer.errors import ConfigError, TrainingError
from trainer.steps import Own

STANDARD = """
import tensorflow as tf
from helpers import scaled


def step(model, x, y, seed):
    with tf.GradientTape() as tape:
        predictions = model(x, training=True)
        loss = scaled(model.compute_loss(x, y, predictions, training=True))
    return loss, tape.gradient(loss, model.trainable_variables), predictions
"""
CODE = {"my_steps.py": STANDARD, "helpers.py": "def scaled(loss):\n    return loss\n"}
OWN = {"step": "my_steps.py:step", "code": CODE}


def outcome(body, **more):
    """Of `def step(model, x, y, seed)` with this body, which begins at line 3, on a linear model."""
    text = "import tensorflow as tf\ndef step(model, x, y, seed):\n    " + body.replace("\n", "\n    ") + "\n"
    step = Own(function="mine.py:step").with_code({"mine.py": text})
    return step(linear(), tf.constant(X, tf.float32), tf.constant(Y, tf.float32), SEED)


@pytest.mark.parametrize("strategy", ["one_device", pytest.param("mirrored", marks=pytest.mark.slow)])
def test_the_standard_step_written_by_a_user_gives_its_very_weights(scaled, tmp_path, strategy):
    settings = {"strategy": strategy, "epochs": 2}
    assert_same(taped(scaled, tmp_path / "own", **OWN, **settings), taped(scaled, tmp_path / "standard", **settings))


def test_another_text_trains_otherwise(scaled, tmp_path):
    halved = {**OWN, "code": {**CODE, "helpers.py": "def scaled(loss):\n    return loss / 2\n"}, "optimizer": "sgd", "epochs": 1}
    whole = taped(scaled, tmp_path / "whole", **{**halved, "code": CODE})[0]
    assert (taped(scaled, tmp_path / "half", **halved)[0].get_weights()[-1] != whole.get_weights()[-1]).any()


def test_an_outcome_is_taken_as_well_as_three_values():
    found = outcome("from trainer.steps import Outcome, Standard\nreturn Standard()(model, x, y, seed)")
    tf.debugging.assert_near(found.gradients[0], tf.constant(gradient(W), tf.float32), 1e-4, 1e-4)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 1.0", r"Expected the step to return \(loss, gradients, predictions\)\. Received: float"),
        ("return 1.0, []", r"Received: 2 values"),
        ("return y, [], y", r"Expected the step's loss to be a scalar, a float\. Received: float32 \(8, 1\)\. Take tf\.reduce_mean"),
        ("return tf.constant(1), [], y", r"Received: int32 \(\)"),
        ("return 1.0, [], y", r"Received: float\. "),
        ("return tf.constant(1.0), [], y", r"a list of 1, one for each of model\.trainable_variables\. Received: 0"),
        ("return tf.constant(1.0), y, y", r"Received: \w*Tensor"),
        (
            "return tf.constant(1.0), [tf.zeros((2, 3))], y",
            r"Expected the gradient of dense\w*/kernel to have its shape, \(3, 1\)\. Received: \(2, 3\)",
        ),
        ("return tf.constant(1.0), [3.0], y", r"Expected a tensor as the gradient of dense\w*/kernel\. Received: float"),
        ("return tf.constant(1.0), [None], None", r"predictions to be what the model gave, a tensor\. Received: NoneType"),
    ],
)
def test_a_wrong_result_is_told_with_the_place_of_the_step(body, said):
    with pytest.raises(ConfigError, match=r"^mine\.py:2: .*" + said) as told:
        outcome(body)
    assert "\n" not in str(told.value)


def test_an_exception_is_told_with_its_line_and_so_is_a_call_that_the_function_does_not_take():
    with pytest.raises(TrainingError, match=r"^mine\.py:4: ZeroDivisionError: division by zero"):
        outcome("a = 0\nreturn 1 / a")
    step = Own(function="mine.py:step").with_code({"mine.py": "\ndef step(model, x):\n    return 1\n"})
    with pytest.raises(TrainingError, match=r"^mine\.py:2: TypeError: step\(\) takes 2 positional arguments but 4 were given"):
        step(None, None, None, None)
    with pytest.raises(ConfigError, match=r"`trainer\.step: mine\.py:step` to be a function\. Received: int"):
        Own(function="mine.py:step").with_code({"mine.py": "step = 1"})


def test_the_line_is_told_by_the_loop_as_well(scaled, tmp_path):
    code = {"my_steps.py": "def step(model, x, y, seed):\n    if model(x)[0, 0] > 0:\n        return 1\n"}
    with pytest.raises(TrainingError) as told:
        taped(scaled, tmp_path, step="my_steps.py:step", code=code)
    assert re.match(r"my_steps\.py:2: .*bool", one_line(told.value))
