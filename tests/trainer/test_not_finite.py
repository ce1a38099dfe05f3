"""A loss, a gradient or a weight that is no finite number ends the training: nothing of it is kept or exported."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.interrupted import DIGITS, LOOPS, checkpoint, execute
from trainer import fit, gradient_tape
from trainer.checkpoints import read
from trainer.config import TrainerConfig
from trainer.errors import TrainingError
from trainer.models.optimizers import make_optimizer
from trainer.strategy import make_strategy

MODULES = [fit, gradient_tape]
# As soon as a logit is far from 0, the loss, or its gradient alone, is NaN.
AT_STEP = """
import tensorflow as tf

@tf.custom_gradient
def _bad_gradient(values, is_bad):
    return tf.identity(values), lambda gradient: (tf.where(is_bad, float("nan"), gradient), None)

def _is_bad(logits):
    return tf.reduce_max(tf.abs(logits)) > 5.0

def loss(y_true, y_pred):
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(y_true, tf.int32), y_pred)
    return tf.where(_is_bad(y_pred), float("nan"), loss)

def gradient(y_true, y_pred):
    y_pred = _bad_gradient(y_pred, _is_bad(y_pred))
    return tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(y_true, tf.int32), y_pred)
"""
BAD_FROM_SIXTH = (
    AT_STEP[: AT_STEP.index("def _is_bad")]
    + """
_seen = tf.Variable(0, trainable=False)

def loss(y_true, y_pred):
    y_pred = _bad_gradient(y_pred, _seen.assign_add(1) > 5)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(y_true, tf.int32), y_pred)
"""
)
SETTINGS = {**DIGITS, "epochs": 20, "learning_rate": 0.01, "schedule": "cosine", "code": {"own.py": AT_STEP}}


def step_of(error):
    """(step, step within its epoch, epoch, learning rate) of the message."""
    found = re.search(r"in step ([\d,]+), which is step (\d+) of 10 in epoch (\d+) of 20, at a learning rate of (\S+)\. Try", str(error))
    return tuple(float(each.replace(",", "")) for each in found.groups())


@pytest.mark.parametrize("loss", ["loss", "gradient"])
@pytest.mark.parametrize("loop", LOOPS)
def test_the_step_and_its_learning_rate_are_named_however_many_steps_a_call_has(scaled, tmp_path, loop, loss):
    found = []
    for folder, every in (("many", {"epochs": 1}), ("one", {"steps": 1})):
        with pytest.raises(TrainingError, match=r"^Expected (a finite `loss`|finite weights and moments)\. Received: ") as caught:
            execute(loop, scaled, tmp_path / folder, **{**SETTINGS, "loss": f"own.py:{loss}", "checkpoints": every})
        found.append(step_of(caught.value))
    step, within, epoch, rate = found[0]
    assert found[1] == found[0]
    assert step == 10 * (epoch - 1) + within
    assert rate == pytest.approx(0.005 * (1 + np.cos(np.pi * (step - 1) / 200)), rel=1e-4)


@pytest.mark.parametrize("loop", LOOPS)
def test_the_step_and_its_rate_are_those_of_a_batch_where_several_make_one_update(scaled, tmp_path, loop):
    code = {"own.py": BAD_FROM_SIXTH + f"\n# counts for {loop}\n"}
    with pytest.raises(TrainingError) as caught:
        execute(loop, scaled, tmp_path, **{**SETTINGS, "loss": "own.py:loss", "code": code, "accumulate": 4, "checkpoints": None})
    assert step_of(caught.value) == (6, 6, 1, pytest.approx(0.005 * (1 + np.cos(np.pi * 5 / 200)), rel=1e-4))


@pytest.mark.parametrize("loss", ["loss", "gradient"])
@pytest.mark.parametrize("loop", LOOPS)
def test_the_last_checkpoint_is_named_and_has_finite_weights(scaled, tmp_path, loop, loss):
    with pytest.raises(TrainingError) as caught:
        execute(loop, scaled, tmp_path, **{**SETTINGS, "loss": f"own.py:{loss}", "checkpoints": {"steps": 1}})
    file = checkpoint(tmp_path)
    assert str(caught.value).endswith(f" The last checkpoint before it is {file}.")
    state = read(str(file))
    assert 0 < 10 * state.position.epoch + state.position.step <= step_of(caught.value)[0]
    for name, values in state.arrays.items():
        assert not name.startswith("model/") or np.isfinite(values).all(), name


@pytest.mark.parametrize("loop", LOOPS)
def test_where_no_state_is_kept_none_is_named(scaled, tmp_path, loop):
    with pytest.raises(TrainingError, match=r"or `trainer\.clip_norm: 1`\.$"):
        execute(loop, scaled, tmp_path, **{**SETTINGS, "loss": "own.py:loss", "checkpoints": None})


@pytest.mark.parametrize("module", MODULES, ids=LOOPS)
def test_a_gradient_of_the_very_last_step_is_noticed_and_nothing_is_exported(scaled, tmp_path, module):
    code = {"own.py": AT_STEP.replace("> 5.0", "> -1.0")}
    settings = {**DIGITS, "epochs": 1, "batch_size": 299, "loss": "own.py:gradient", "code": code, "weights": "last"}
    fn_args = scaled.fn_args(tmp_path, **{**settings, "loop": module.__name__.removeprefix("trainer.")})
    with pytest.raises(
        TrainingError, match=r"^Expected finite weights and moments\. Received: some that are not, in step 1, which is step 1 of 1 in "
    ):
        module.run_fn(fn_args)
    assert not Path(fn_args.serving_model_dir).exists()
    assert not list(Path(tmp_path).rglob("*.npz")) + list(Path(tmp_path).rglob("best.weights.h5"))


@pytest.mark.parametrize("key", ["best_by", "early_stopping"])
@pytest.mark.parametrize("loop", LOOPS)
def test_a_watched_metric_that_is_no_number_is_not_taken_for_the_best_for_ever(scaled, tmp_path, loop, key):
    metric = "def ratio(y_true, y_pred):\n    return 0.0 * y_pred[:, 0] / 0.0\n"
    own = {"metrics": ["own.py:ratio"], "metric_modes": {"ratio": "max"}, "code": {"own.py": metric}}
    watched = {"best_by": "ratio"} if key == "best_by" else {"early_stopping": {"metric": "ratio"}}
    with pytest.raises(TrainingError, match=rf"^Expected a finite `val_ratio`, which `trainer\.{key}.*` names\. Received: nan, though"):
        execute(loop, scaled, tmp_path, **DIGITS, **own, **watched)
    assert not list(Path(tmp_path).rglob("best.weights.h5"))


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop"])
@pytest.mark.parametrize("strategy", ["one_device", "mirrored"])
def test_every_optimizer_counts_the_finite_steps_on_any_number_of_replicas(optimizer, strategy):
    replicas = make_strategy(strategy)
    with replicas.scope():
        weight = keras.Variable(np.zeros(2, np.float32))
        made = make_optimizer(TrainerConfig(optimizer=optimizer), 10)
        made.build([weight])
    step = tf.function(lambda value: replicas.run(lambda: made.apply([tf.fill([2], value)], [weight])))
    for value in (1.0, 2.0, float("nan"), float("inf")):
        step(tf.constant(value))
    assert made.finite_steps.numpy() == 2
