"""Mixed precision: 16 bits inside of the model, float32 around it, in both loops."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.interrupted import assert_same_end, execute, killed
from tests.trainer.test_loops import LOOPS, assert_same, trained
from trainer import fit
from trainer.config import TrainerConfig
from trainer.errors import ConfigError, TrainingError
from trainer.features import names
from trainer.loss_scale import DynamicLossScale
from trainer.models import build_model
from trainer.models.optimizers import make_optimizer
from trainer.tasks import Multiclass

MIXED = ["mixed_float16", "mixed_bfloat16"]
TOO_LARGE = 2.0**23  # some hundredths of this are infinite in float16


class Scale(keras.callbacks.Callback):
    """Sets the loss scale before the first step, and notes it and a weight after each call."""

    def __init__(self, scale):
        super().__init__()
        self.scale, self.seen = scale, []

    def on_train_begin(self, logs=None):
        if not int(self.model.optimizer.iterations.numpy()):
            self.model.optimizer.dynamic_scale.assign(self.scale)

    def on_train_batch_end(self, batch, logs=None):
        optimizer = self.model.optimizer
        self.seen.append((float(optimizer.dynamic_scale.numpy()), int(optimizer.iterations.numpy()), self.model.get_weights()[0].copy()))


def inputs_of(model):
    """(specs of a row, sizes) of what the model takes."""
    if model in ("mlp", "cnn", "resnet", "vit"):
        return {names.PIXELS: tf.io.FixedLenFeature((16, 16, 3 if model == "resnet" else 1), tf.float32)}, {}
    if model == "text":
        return {
            "tokens": tf.io.FixedLenFeature((6,), tf.int64),
            "ngram_weights": tf.io.FixedLenFeature((6,), tf.float32),
            "tokens_2": tf.io.FixedLenFeature((5,), tf.int64),
        }, {"tokens": 9, "tokens_2": 9}
    if model in ("conv", "lstm", "transformer"):
        return {"sequence": tf.io.FixedLenFeature((8,), tf.int64)}, {"sequence": 9}
    return {
        "numbers": tf.io.FixedLenFeature((2,), tf.float32),
        "ranks": tf.io.FixedLenFeature((2,), tf.float32),
        "categories": tf.io.FixedLenFeature((2,), tf.int64),
        "one_hot": tf.io.FixedLenFeature((1,), tf.int64),
        "tokens": tf.io.FixedLenFeature((4,), tf.int64),
    }, {"categories": 7, "one_hot": 5, "tokens": 9}


def rows_of(specs, rows=6):
    random = np.random.default_rng(1)
    made = {
        name: tf.constant(random.random((rows, *spec.shape)) if spec.dtype.is_floating else random.integers(0, 5, (rows, *spec.shape)))
        for name, spec in specs.items()
    }
    made = {name: tf.cast(values, specs[name].dtype) for name, values in made.items()}
    return made if len(made) > 1 else next(iter(made.values()))


@pytest.mark.parametrize("precision", MIXED)
@pytest.mark.parametrize("model", ["mlp", "cnn", "resnet", "vit", "text", "conv", "lstm", "transformer", "tabular", "linear", "wide_deep"])
def test_every_model_computes_in_16_bits_with_float32_weights_logits_and_gradients(model, precision):
    specs, sizes = inputs_of(model)
    is_picture = names.PIXELS in specs
    config = TrainerConfig(model=model, precision=precision, augment=["flip", "crop", "rotate", "colour"] if is_picture else [])
    made = build_model(config, Multiclass(classes=3), specs, sizes)
    assert keras.config.dtype_policy().name == "float32"
    x, y = rows_of(specs), tf.constant([0, 1, 2, 0, 1, 2])
    with tf.GradientTape() as tape:
        logits = made(x, training=True)
        loss = made.compute_loss(x, y, logits, training=True)
        scaled = 256 * loss
    gradients = tape.gradient(scaled, made.trainable_variables)
    assert logits.dtype == loss.dtype == tf.float32
    assert {variable.dtype for variable in made.trainable_variables} == {"float32"}
    assert all(tf.reduce_all(tf.math.is_finite(tf.convert_to_tensor(gradient))) for gradient in gradients)
    assert any(layer.compute_dtype == precision.removeprefix("mixed_") for layer in made._flatten_layers(include_self=False))
    plain = build_model(config.model_copy(update={"precision": "float32"}), Multiclass(classes=3), specs, sizes)
    np.testing.assert_allclose(made(x, training=False), plain(x, training=False), atol=0.1)
    assert (made(x, training=False).numpy() != plain(x, training=False).numpy()).any() or model == "linear"  # whose weights begin as 0


@pytest.mark.parametrize("precision", MIXED)
@pytest.mark.parametrize("strategy", ["one_device", pytest.param("mirrored", marks=pytest.mark.slow)])
def test_both_loops_are_equal_and_learn(scaled, tmp_path, precision, strategy):
    settings = {"precision": precision, "strategy": strategy, "batch_size": 64, "model": "mlp", "epochs": 3, "learning_rate": 0.01}
    fitted, taped = (trained(loop, scaled, tmp_path, **settings) for loop in LOOPS)
    assert_same(fitted, taped)
    assert fitted[1]["loss"][-1] < 0.9 * fitted[1]["loss"][0]


@pytest.mark.parametrize("loop", LOOPS)
def test_a_step_that_overflows_halves_the_scale_and_is_left_out(scaled, tmp_path, loop):
    scale = Scale(TOO_LARGE)
    settings = {"precision": "mixed_float16", "epochs": 1, "checkpoints": {"steps": 1}, "weights": "last"}
    execute(loop, scaled, tmp_path, lambda data, callbacks: (data, [scale, *callbacks]), **settings)
    (first, moved, weights), (second, _, others) = scale.seen[:2]
    assert (first, second, moved) == (TOO_LARGE / 2, TOO_LARGE / 4, 0)
    np.testing.assert_array_equal(weights, others)
    last, moved, weights = scale.seen[-1]
    assert last == TOO_LARGE / 2 ** (len(scale.seen) - moved)
    assert 0 < moved < len(scale.seen) == 10
    assert (weights != others).any()


def test_a_batch_that_was_left_out_counts_for_the_seed_and_not_for_the_schedule():
    weight = keras.Variable(np.zeros(2, np.float32))
    optimizer = make_optimizer(TrainerConfig(precision="mixed_float16"), 10)
    optimizer.build([weight])
    for value in (float("inf"), 1.0):
        optimizer.apply([tf.fill([2], value)], [weight])
    batches = next(variable for variable in optimizer.variables if variable.name == "iteration")  # as the loop looks for it
    assert (int(batches.numpy()), int(optimizer.iterations.numpy())) == (2, 1)


def test_both_loops_leave_out_the_same_steps(scaled, tmp_path):
    settings = {"precision": "mixed_float16", "epochs": 1, "weights": "last"}
    ends = [
        execute(loop, scaled, tmp_path / loop, lambda data, callbacks: (data, [Scale(TOO_LARGE), *callbacks]), **settings) for loop in LOOPS
    ]
    assert_same_end(*ends)


@pytest.mark.parametrize("loop", LOOPS)
def test_an_interrupted_training_goes_on_with_its_scale(scaled, tmp_path, loop):
    settings = {"precision": "mixed_float16"}

    def change(data, callbacks):
        return data, [Scale(TOO_LARGE), *callbacks]

    whole = execute(loop, scaled, tmp_path / "whole", change, **settings)
    killed(loop, scaled, tmp_path / "killed", 16, more=[Scale(TOO_LARGE)], **settings)
    resumed = execute(loop, scaled, tmp_path / "killed", change, **settings)
    assert resumed.begin.step or resumed.begin.epoch
    assert_same_end(whole, resumed)


@pytest.mark.parametrize("loop", LOOPS)
def test_gradients_that_are_no_numbers_at_any_scale_end_the_training(scaled, tmp_path, loop):
    scale = Scale(2.0 * DynamicLossScale.LEAST)
    nan = "import tensorflow as tf\n\n@tf.custom_gradient\ndef bad(x):\n    return x, lambda g: g * float('nan')\n\n"
    nan += "def loss(y_true, y_pred):\n    return tf.reduce_mean(tf.square(bad(y_pred)), -1)\n"
    settings = {"precision": "mixed_float16", "loss": "own.py:loss", "code": {"own.py": nan}, "checkpoints": {"epochs": 1}}
    with pytest.raises(TrainingError, match=r"^Expected finite gradients at some scale of the loss\..*mixed_bfloat16`\.$"):
        execute(loop, scaled, tmp_path, lambda data, callbacks: (data, [scale, *callbacks]), **settings)


def test_a_step_of_ones_own_that_does_not_scale_its_loss_is_refused_with_float16():
    specs, _ = inputs_of("mlp")
    step = {"kind": "own", "function": "own.py:step"}
    config = TrainerConfig(loop="gradient_tape", model="mlp", step=step, precision="mixed_float16", code={"own.py": "def step(): ..."})
    with pytest.raises(ConfigError, match=r"^Expected a step that takes the gradients of `model.optimizer.scale_loss.*own\.py:step"):
        build_model(config, Multiclass(classes=3), specs)
    build_model(config.model_copy(update={"code": {"own.py": "model.optimizer.scale_loss(loss)"}}), Multiclass(classes=3), specs)


@pytest.mark.parametrize("code", ["keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(outputs)])", "functional(inputs, outputs)"])
def test_a_model_of_ones_own_gives_float32_logits(code):
    text = (
        "import keras\n\ndef functional(inputs, outputs):\n    x = keras.Input((16, 16, 1))\n"
        "    return keras.Model(x, keras.layers.Dense(outputs)(keras.layers.Flatten()(x)))\n\n"
        f"def build(inputs, outputs):\n    return {code}\n"
    )
    specs, _ = inputs_of("mlp")
    config = TrainerConfig(model="own.py:build", precision="mixed_bfloat16", code={"own.py": text})
    assert build_model(config, Multiclass(classes=3), specs)(rows_of(specs)).dtype == tf.float32


def test_a_class_of_ones_own_whose_logits_cannot_be_made_float32_is_refused():
    text = (
        "import keras\n\nclass Net(keras.Model):\n    def __init__(self, outputs):\n        super().__init__()\n"
        "        self.dense = keras.layers.Dense(outputs)\n\n    def call(self, x):\n"
        "        return self.dense(keras.ops.reshape(x, (-1, 256)))\n\n"
        "def build(inputs, outputs):\n    return Net(outputs)\n"
    )
    specs, _ = inputs_of("mlp")
    config = TrainerConfig(model="own.py:build", precision="mixed_bfloat16", code={"own.py": text})
    with pytest.raises(ConfigError, match=r"^Expected a functional or Sequential model .*Received: Net, .*Return keras.Model"):
        build_model(config, Multiclass(classes=3), specs)
    build_model(config.model_copy(update={"precision": "float32"}), Multiclass(classes=3), specs)


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU")
def test_one_line_says_that_16_bits_are_slow_on_a_cpu(caplog):
    specs, _ = inputs_of("mlp")
    with caplog.at_level(logging.WARNING):
        build_model(TrainerConfig(model="mlp"), Multiclass(classes=3), specs)
        assert not caplog.messages
        build_model(TrainerConfig(model="mlp", precision="mixed_float16"), Multiclass(classes=3), specs)
    assert [each for each in caplog.messages if "mixed_float16` on a CPU" in each] == caplog.messages


@pytest.mark.parametrize("precision", MIXED)
def test_what_is_exported_answers_float32_probabilities(scaled, tmp_path, precision):
    arguments = scaled.fn_args(tmp_path, model="cnn", epochs=1, batch_size=64, precision=precision)
    fit.run_fn(arguments)
    saved = tf.saved_model.load(arguments.serving_model_dir)
    (probabilities,) = (
        values for name, values in saved.signatures["serving_default"](tf.constant(scaled.raw[:8])).items() if name == "probabilities"
    )
    assert probabilities.dtype == tf.float32
    np.testing.assert_allclose(tf.reduce_sum(probabilities, axis=1), np.ones(8), rtol=1e-6)
