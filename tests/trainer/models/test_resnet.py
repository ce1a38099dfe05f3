"""The small residual network, and the augmentation that every model of pictures can have."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from tests.trainer.test_loops import LOOPS, assert_same, trained
from trainer import export
from trainer.config import TrainerConfig
from trainer.features import names
from trainer.models import build_model, resnet
from trainer.models.augment import RandomColour, augmentation
from trainer.tasks import Multiclass

ALL = ["flip", "shift", "crop", "rotate", "colour"]


def model_for(shape, classes=10, **settings):
    config = TrainerConfig(**{"model": "resnet", **settings})
    return build_model(config, Multiclass(classes=classes), {names.PIXELS: tf.io.FixedLenFeature(shape, tf.float32)})


def pictures(rows, *shape):
    return np.random.default_rng(0).normal(size=(rows, *shape)).astype(np.float32)


@pytest.mark.parametrize("shape", [(28, 28, 1), (96, 96, 3), (8, 6, 3), (1, 1, 1), (200, 40, 3)])
def test_pictures_of_any_size_give_logits(shape):
    model = model_for(shape, 7, augment=ALL)
    for training in (False, True):
        logits = model(pictures(2, *shape), training=training)
        members = () if shape[-1] == 1 else (2,) if training else (1,)
        assert logits.shape == (2, *members, 7)
        assert np.isfinite(logits).all()


@pytest.mark.parametrize(("side", "first"), [(8, 8), (24, 24), (28, 14), (48, 24), (96, 24), (224, 14)])
def test_the_first_stage_is_small_however_large_the_picture(side, first):
    added = [layer.output.shape for layer in model_for((side, side, 3)).layers if isinstance(layer, keras.layers.Add)]
    assert added[0] == (None, first, first, 32)
    assert added[-1][1:] == (-(-first // 4), -(-first // 4), 128)


def test_a_picture_in_named_classes_gets_it_by_default():
    inputs = {names.PIXELS: tf.io.FixedLenFeature((8, 8, 1), tf.float32)}
    assert build_model(TrainerConfig(), Multiclass(names=["a", "b"], classes=2), inputs).name == "resnet"
    assert build_model(TrainerConfig(), Multiclass(classes=2), inputs).name == "mlp"


@pytest.mark.parametrize("name", ["mlp", "cnn", "resnet"])
def test_augmentation_happens_in_training_alone(name):
    settings = {"model": name, "dropout": 0.0, "seed": 3}
    plain, augmented = model_for((8, 8, 3), **settings), model_for((8, 8, 3), **settings, augment=ALL)
    augmented.set_weights(_learnt(plain) + [w for w in augmented.get_weights() if w.dtype != np.float32])
    x = pictures(4, 8, 8, 3)
    np.testing.assert_array_equal(augmented(x, training=False), plain(x, training=False))
    first, second = (augmented(x, training=True).numpy() for _ in range(2))
    assert not np.allclose(first, second)
    assert not np.allclose(first, plain(x, training=True))


def _learnt(model):
    return [weight for weight in model.get_weights() if weight.dtype == np.float32]


@pytest.mark.parametrize("name", ALL)
def test_each_augmentation_changes_pictures_one_by_one_and_keeps_their_shape(name):
    keras.utils.set_random_seed(1)
    same = np.repeat(pictures(1, 12, 10, 3), 16, axis=0)
    changed = same
    for layer in augmentation([name]):
        np.testing.assert_array_equal(layer(same, training=False), same)
        changed = layer(changed, training=True)
    assert changed.shape == same.shape
    assert changed.dtype == tf.float32
    assert len({picture.tobytes() for picture in changed.numpy()}) >= 2


def test_a_small_shift_keeps_what_stands_in_the_middle():
    keras.utils.set_random_seed(1)
    middle = np.zeros((64, 20, 20, 1), np.float32)
    middle[:, 3:17, 3:17] = 1.0
    [shift] = augmentation(["shift"])
    np.testing.assert_allclose(tf.reduce_sum(shift(middle, training=True), axis=(1, 2, 3)), 14 * 14, rtol=1e-4)


@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_the_light_changes_as_much_whatever_the_range_of_the_pixels(scale):
    keras.utils.set_random_seed(1)
    plain = pictures(4, 6, 6, 3) + 2
    layer = RandomColour()
    state = layer.variables[0].numpy()
    changed = layer(plain, training=True)
    layer.variables[0].assign(state)
    np.testing.assert_allclose(layer(plain * scale, training=True), changed * scale, rtol=1e-4, atol=1e-4 * scale)


def test_one_seed_gives_equal_weights_and_equal_augmentation():
    x = pictures(4, 8, 8, 1)
    models = [model_for((8, 8, 1), seed=seed, augment=ALL) for seed in (5, 5, 6)]
    for left, right in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    first, again, other = (model(x, training=True).numpy() for model in models)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.fixture
def narrow(monkeypatch):
    """The same network with one block in each of two stages, whose graphs are made in a fraction of the time."""
    monkeypatch.setattr(resnet, "WIDTHS", (8, 16))
    monkeypatch.setattr(resnet, "BLOCKS", 1)


@pytest.mark.parametrize("strategy", ["one_device", pytest.param("mirrored", marks=pytest.mark.slow)])
def test_both_loops_end_with_equal_weights_and_an_equal_history(scaled, tmp_path, narrow, strategy):
    settings = {"model": "resnet", "augment": ALL, "optimizer": "adamw", "schedule": "cosine", "strategy": strategy, "batch_size": 64}
    fitted, taped = (trained(loop, scaled, tmp_path, **settings) for loop in LOOPS)
    assert_same(fitted, taped)


@pytest.mark.slow
def test_the_exported_model_answers_as_the_model_does(scaled, tmp_path, narrow):
    model, _ = trained("fit", scaled, tmp_path, model="resnet", augment=ALL, epochs=1)
    export.export(model, tft.TFTransformOutput(scaled.graph_path), scaled.problem, str(tmp_path / "served"))
    signatures = tf.saved_model.load(str(tmp_path / "served")).signatures
    received = signatures["predict_pixels"](pixels=tf.constant(scaled.images[:32]))["probabilities"]
    wanted = tf.nn.softmax(model(scaled.images[:32].astype(np.float32) / 255, training=False))
    np.testing.assert_allclose(received, wanted, atol=1e-5)
    again = signatures["predict_pixels"](pixels=tf.constant(scaled.images[:1]))["probabilities"]
    np.testing.assert_allclose(again[0], received[0], atol=1e-5)  # nothing random, and a row is alone


def test_two_classes_of_pictures_are_learnt_from_few():
    """Stripes that go across or down, anywhere in the picture."""
    random = np.random.default_rng(0)

    def stripes(rows):
        labels = random.integers(0, 2, size=rows)
        waves = np.sin(np.arange(32) * random.uniform(0.7, 1.5, (rows, 1)) + random.uniform(0, 6, (rows, 1)))
        across = np.repeat(waves[:, np.newaxis], 32, axis=1)
        x = np.where(labels[:, np.newaxis, np.newaxis] == 1, across, across.transpose(0, 2, 1))
        return (x[..., np.newaxis] + random.normal(size=(rows, 32, 32, 3))).astype(np.float32), labels

    model = model_for((32, 32, 3), 2, augment=["flip", "crop", "colour"])
    model.fit(*stripes(64), batch_size=16, epochs=8, verbose=0)
    assert model.evaluate(*stripes(64), verbose=0, return_dict=True)["accuracy"] >= 0.9
