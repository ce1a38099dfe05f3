"""The models, what they are compiled with, and the optimizers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.config import TrainerConfig
from trainer.features import names
from trainer.models import build_model
from trainer.models.optimizers import FusedAdam, FusedAdamW
from trainer.tasks import Multiclass


def model_for(shape, classes, **settings):
    return build_model(TrainerConfig(**settings), Multiclass(classes=classes), {names.PIXELS: tf.io.FixedLenFeature(shape, tf.float32)})


def test_the_mlp_is_the_tutorials_and_sequential():
    model = model_for((8, 6, 1), 7, model="mlp", dropout=0.3)
    flatten, hidden, dropout, logits = model.layers
    assert isinstance(model, keras.Sequential)
    assert isinstance(flatten, keras.layers.Flatten)
    assert (hidden.units, hidden.activation) == (128, keras.activations.relu)
    assert dropout.rate == 0.3
    assert (logits.units, logits.activation) == (7, keras.activations.linear)


def test_the_cnn_is_functional_and_takes_any_image_size():
    for shape in ((28, 28, 1), (8, 8, 3), (1, 1, 1)):
        model = model_for(shape, 10, model="cnn")
        assert isinstance(model, keras.Model) and not isinstance(model, keras.Sequential)
        assert model(np.zeros((2, *shape), np.float32)).shape == (2, 10)
    assert sum(isinstance(layer, keras.layers.Conv2D) for layer in model.layers) == 2


def test_the_cnn_pools_after_each_convolution_and_drops_out_before_the_logits():
    model = model_for((8, 6, 1), 7, model="cnn", dropout=0.3)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["InputLayer", "Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D", "Flatten", "Dense", "Dropout", "Dense"]
    assert [layer.output.shape[1:] for layer in model.layers] == [
        (8, 6, 1), (8, 6, 32), (4, 3, 32), (4, 3, 64), (2, 2, 64), (256,), (128,), (128,), (7,)
    ]  # fmt: skip
    assert [layer.activation.__name__ for layer in model.layers if hasattr(layer, "activation")] == ["relu", "relu", "relu", "linear"]
    assert model.layers[-2].rate == 0.3


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_one_seed_gives_equal_weights_and_equal_dropout(name):
    pixels = np.ones((4, 8, 8, 1), np.float32)
    models = [model_for((8, 8, 1), 10, model=name, seed=seed, dropout=0.5) for seed in (5, 5, 6)]
    for left, right in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    first, again, other = (model(pixels, training=True).numpy() for model in models)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("settings", "loss"),
    [
        ({}, keras.losses.SparseCategoricalCrossentropy),
        ({"loss": "categorical_crossentropy", "label_smoothing": 0.1}, keras.losses.CategoricalCrossentropy),
        ({"loss": "categorical_focal_crossentropy"}, keras.losses.CategoricalFocalCrossentropy),
    ],
)
def test_the_loss_is_the_configured_one_on_logits(settings, loss):
    model = model_for((8, 8, 1), 10, **settings)
    assert isinstance(model.loss, loss)
    assert model.loss.get_config()["from_logits"] is True
    assert model.loss.get_config().get("label_smoothing", 0.0) == settings.get("label_smoothing", 0.0)


@pytest.mark.parametrize(("fused", "plain"), [(FusedAdam, keras.optimizers.Adam), (FusedAdamW, keras.optimizers.AdamW)])
def test_the_fused_optimizers_take_keras_own_steps(fused, plain):
    start, gradients = np.linspace(-1, 1, 12, dtype=np.float32), np.random.default_rng(0).normal(size=(20, 12)).astype(np.float32)
    results = []
    for make in (fused, plain):
        variable, optimizer = keras.Variable(start), make(learning_rate=0.01)
        for gradient in gradients:
            optimizer.apply([tf.constant(gradient)], [variable])
        results.append(variable.numpy())
    np.testing.assert_allclose(*results, atol=1e-6)


@pytest.mark.parametrize(("fused", "plain"), [(FusedAdam, keras.optimizers.Adam), (FusedAdamW, keras.optimizers.AdamW)])
def test_the_fused_optimizers_add_up_the_parts_of_a_tables_row_before_the_step(fused, plain):
    results = []
    for make in (fused, plain):
        table, optimizer = keras.Variable(np.linspace(-1, 1, 12, dtype=np.float32).reshape(6, 2)), make(learning_rate=0.01)
        for rows in ([1, 1, 4], [1, 2, 0], [5, 5, 5], [4, 0, 2]):  # row 3 never, others more than once in a step
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.square(tf.gather(table.value, rows)))
            gradients = tape.gradient(loss, [table.value])
            assert isinstance(gradients[0], tf.IndexedSlices)
            optimizer.apply(gradients if make is fused else [tf.convert_to_tensor(gradients[0])], [table])
        results.append(table.numpy())
    np.testing.assert_allclose(*results, atol=1e-6)
