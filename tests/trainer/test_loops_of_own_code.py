"""A model and a loss of the user's own: both loops end bit for bit alike and export it, and what cannot be trained is told before."""

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.conftest import ROWS
from tests.trainer.test_loops import LOOPS, assert_same, trained
from trainer import fit
from trainer.errors import ConfigError, TrainingError
from trainer.run import run

CODE = {
    "my_model.py": """
import keras
from keras import layers

def build(inputs, outputs, dropout, **settings):
    x = keras.Input(inputs["pixels"].shape, name="pixels")
    y = layers.Dropout(dropout)(layers.Dense(32, activation="relu")(layers.Flatten()(x)))
    return keras.Model(x, layers.Dense(outputs, activation="softmax", name="own")(y))

def half_used(inputs, outputs, **settings):
    x = keras.Input(inputs["pixels"].shape, name="pixels")
    y = layers.Flatten()(x)
    unused = layers.Dense(outputs, name="unused")(y)
    return keras.Model(x, layers.Dense(outputs, name="own")(y) + keras.ops.stop_gradient(unused))
""",
    "my_losses.py": """
import keras
import tensorflow as tf

def focal(y_true, y_pred):
    loss = keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)
    return loss * (1 - tf.exp(-loss))

def mean(y_true, y_pred):
    return tf.reduce_mean(focal(y_true, y_pred))

def sure(y_true, y_pred):
    return tf.reduce_max(tf.nn.softmax(y_pred), -1)
""",
}
OWN = {
    "model": "my_model.py:build",
    "loss": "my_losses.py:focal",
    "metrics": ["accuracy", "my_losses.py:sure"],
    "code": CODE,
    "learning_rate": 0.01,
}


@pytest.mark.parametrize("strategy", ["one_device", pytest.param("mirrored", marks=pytest.mark.slow)])
def test_both_loops_end_bit_for_bit_alike(scaled, tmp_path, strategy):
    first, second = (trained(loop, scaled, tmp_path, epochs=4, strategy=strategy, **OWN) for loop in LOOPS)
    assert_same(first, second)
    assert first[1]["val_accuracy"][-1] > 0.6
    assert 0.1 < first[1]["val_sure"][-1] < 1


@pytest.mark.parametrize("loop", LOOPS)
def test_a_variable_without_a_gradient_is_named_by_either_loop(scaled, tmp_path, loop):
    settings = {**OWN, "model": "my_model.py:half_used", "loss": "auto", "metrics": None}
    with pytest.raises(TrainingError, match=r"Received none for 'unused/kernel', 'unused/bias'"):
        trained(loop, scaled, tmp_path, **settings)
    model, _ = trained(loop, scaled, tmp_path, without_gradient="ignore", epochs=1, **settings)
    assert (model.get_layer("own").bias.numpy() != 0).all()


def test_the_exported_model_serves_probabilities_of_the_trained_logits_and_tensorboard_names_its_file(scaled, tmp_path):
    fn_args = scaled.fn_args(tmp_path, strategy="one_device", epochs=6, **OWN)
    history = run(fn_args, fit.train).history
    served = tf.saved_model.load(fn_args.serving_model_dir).signatures["serving_default"]
    answer = served(examples=tf.constant(scaled.raw[ROWS["eval"]]))
    np.testing.assert_allclose(answer["probabilities"].numpy().sum(axis=1), 1, rtol=1e-5)
    assert len(list((tmp_path / "model_run").glob("*-fit-my_model/train"))) == 1
    right = (answer["classes"].numpy() == scaled.labels[ROWS["eval"]]).mean()
    assert right == pytest.approx(max(history["val_accuracy"][np.argmin(history["val_loss"])], 0.6), abs=1e-6)


def test_a_loss_that_is_no_number_a_row_is_refused_before_training(scaled, tmp_path):
    fn_args = scaled.fn_args(tmp_path, strategy="one_device", epochs=1, **{**OWN, "loss": "my_losses.py:mean"})
    with pytest.raises(ConfigError, match=r"`trainer\.loss: my_losses\.py:mean` to give a number for each row"):
        run(fn_args, fit.train)
    assert not (tmp_path / "serving_model").exists()
