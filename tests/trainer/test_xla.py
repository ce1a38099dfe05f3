"""`trainer.jit_compile`: the same training, compiled by XLA."""

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.interrupted import assert_same_end, execute, killed
from tests.trainer.test_loops import LOOPS, assert_same, trained
from trainer import xla
from trainer.config import TrainerConfig
from trainer.errors import ConfigError


@pytest.mark.parametrize("model", ["mlp", pytest.param("cnn", marks=pytest.mark.slow)])
def test_both_loops_are_equal_and_near_to_what_is_not_compiled(scaled, tmp_path, model):
    fitted, taped = (trained(loop, scaled, tmp_path, model=model, epochs=1, dropout=0.0, jit_compile=True) for loop in LOOPS)
    assert_same(fitted, taped)
    assert fitted[0].jit_compile
    plain, _ = trained("fit", scaled, tmp_path, model=model, epochs=1, dropout=0.0)
    for left, right in zip(fitted[0].get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-3)


@pytest.mark.parametrize("loop", [pytest.param("fit", marks=pytest.mark.slow), "gradient_tape"])
def test_an_interrupted_training_goes_on_to_the_same_end(scaled, tmp_path, loop):
    whole = execute(loop, scaled, tmp_path / "whole", jit_compile=True)
    killed(loop, scaled, tmp_path / "killed", 16, jit_compile=True)
    resumed = execute(loop, scaled, tmp_path / "killed", jit_compile=True)
    assert resumed.begin.step or resumed.begin.epoch
    assert_same_end(whole, resumed)


@pytest.mark.parametrize("loop", LOOPS)
def test_an_operation_that_xla_does_not_know_is_said_in_one_line(scaled, tmp_path, loop):
    code = "import tensorflow as tf\n\ndef loss(y_true, y_pred):\n    length = tf.strings.length(tf.strings.as_string(y_pred))\n"
    code += "    return tf.reduce_mean(tf.square(y_pred) + tf.cast(length, tf.float32), -1)\n"
    settings = {"jit_compile": True, "loss": "own.py:loss", "code": {"own.py": code}, "epochs": 1}
    with pytest.raises(ConfigError, match=r"^Expected a training step that XLA can compile .*Set `trainer\.jit_compile: false`\.$"):
        execute(loop, scaled, tmp_path, **settings)


def test_a_layer_that_xla_cannot_compile_is_named(scaled, tmp_path):
    with pytest.raises(ConfigError, match=r"^Expected layers that XLA can compile .*Received: 'random_rotation'\. Leave out `trainer"):
        execute("fit", scaled, tmp_path, jit_compile=True, model="cnn", epochs=1, augment=["rotate"])


def test_replicas_and_texts_are_refused_with_the_reason():
    config = TrainerConfig(jit_compile=True)
    with pytest.raises(ConfigError, match=r"^Expected `trainer\.jit_compile: false` on 2 replicas, .*strategy: one_device`\.$"):
        xla.check(config, 2, ["pixels"])
    with pytest.raises(ConfigError, match=r"^Expected `trainer\.jit_compile: false` for texts \(tokens\), .*longest text"):
        xla.check(config, 1, ["numbers", "tokens"])
    xla.check(config, 1, ["numbers"])
    xla.check(TrainerConfig(), 2, ["tokens"])


def test_a_step_that_is_wrong_otherwise_is_not_blamed_on_xla():
    with pytest.raises(tf.errors.InvalidArgumentError), xla.told(TrainerConfig(jit_compile=True)):
        raise tf.errors.InvalidArgumentError(None, None, "Incompatible shapes")
