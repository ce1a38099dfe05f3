"""Whether my_code.py still has a model: `pytest test_my_code.py`. Put the shapes of your own data into `INPUTS`."""

import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

sys.path.insert(0, str(Path(__file__).resolve().parent))

from my_code import build

OUTPUTS = 3
INPUTS = {
    "numbers": tf.io.FixedLenFeature((4,), tf.float32),
    "categories": tf.io.FixedLenFeature((2,), tf.int64),
}
SIZES = {"categories": 10}


@pytest.fixture
def model():
    """The model, compiled as a run compiles it for classes."""
    keras.utils.set_random_seed(0)
    model = build(INPUTS, OUTPUTS, dropout=0.0, sizes=SIZES, activation="softmax", augment=[])
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


@pytest.fixture
def batch():
    """64 rows; the class is the largest of three of the numbers."""
    random = np.random.default_rng(0)
    x = {
        name: tf.constant(
            random.integers(0, SIZES[name], (64, *feature.shape)) if name in SIZES else random.normal(size=(64, *feature.shape))
        )
        for name, feature in INPUTS.items()
    }
    x = {name: tf.cast(values, INPUTS[name].dtype) for name, values in x.items()}
    return x, tf.argmax(x["numbers"][:, :OUTPUTS], axis=1)


def test_it_gives_a_logit_for_each_output_and_no_probabilities(model, batch):
    logits = model(batch[0], training=False).numpy()
    assert logits.shape == (64, OUTPUTS)
    assert (logits < 0).any() or not np.allclose(logits.sum(axis=1), 1, atol=1e-3)


def test_a_rows_answer_does_not_depend_on_the_other_rows(model, batch):
    alone = {name: values[:1] for name, values in batch[0].items()}
    np.testing.assert_allclose(model(alone, training=False)[0], model(batch[0], training=False)[0], rtol=1e-4, atol=1e-5)


def test_every_variable_learns(model, batch):
    x, y = batch
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x, y, model(x, training=True), training=True)
    gradients = tape.gradient(loss, model.trainable_variables)
    assert [variable.path for gradient, variable in zip(gradients, model.trainable_variables) if gradient is None] == []


def test_it_learns_a_simple_rule(model, batch):
    history = model.fit(*batch, epochs=60, verbose=0).history["loss"]
    assert history[-1] < history[0] / 2


def test_it_can_be_served_without_this_file(model, batch, tmp_path):
    answer = model(batch[0], training=False)
    model.export(tmp_path / "served", format="tf_saved_model", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "served"))
    np.testing.assert_allclose(loaded.serve(batch[0]), answer, rtol=1e-4, atol=1e-5)
