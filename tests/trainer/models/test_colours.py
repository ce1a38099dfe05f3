"""The member of the model for pictures that knows nothing but colours."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.config import TrainerConfig
from trainer.features import names
from trainer.models import build_model
from trainer.models.colours import LEVELS, ColourShares, Together
from trainer.tasks import Multiclass


def shares(pixels):
    return ColourShares()(np.asarray(pixels, np.float32)).numpy().reshape(len(pixels), 3, math.prod(LEVELS))


def test_a_picture_is_told_by_how_much_of_it_each_colour_covers_and_not_by_where():
    pixels = np.random.default_rng(0).normal(size=(2, 12, 18, 3))
    moved = np.random.default_rng(1).permuted(pixels.reshape(2, -1, 3), axis=1).reshape(pixels.shape)
    whole, again = shares(pixels)[:, 0], shares(moved)[:, 0]
    np.testing.assert_allclose((whole**2).sum(axis=1), 100, rtol=1e-5)  # the squares are shares, but for the gain's
    assert not np.allclose(whole[0], whole[1])
    swapped = shares(pixels[:, ::-1, ::-1])[:, 0]
    np.testing.assert_allclose(whole, swapped, atol=1e-5)
    assert again.shape == whole.shape


def test_the_middle_counts_by_itself():
    pixels = np.full((1, 30, 30, 3), -2.0)
    pixels[:, 12:18, 12:18] = 2.0
    white = np.ravel_multi_index((LEVELS[0] - 1, LEVELS[1] // 2, LEVELS[2] // 2), LEVELS)
    whole, middle, inmost = (shares(pixels)[0] ** 2 / 100)[:, white]
    assert whole == pytest.approx(36 / 900, rel=1e-4)
    assert middle == pytest.approx(36 / 400, rel=1e-4)
    assert inmost == pytest.approx(36 / 100, rel=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 200), (97, 96)])
def test_pictures_of_any_size_have_as_many_shares(shape):
    found = shares(np.random.default_rng(0).normal(size=(2, *shape, 3)) * 9)
    assert np.isfinite(found).all()
    np.testing.assert_allclose((found**2).sum(axis=2), 100, rtol=1e-4)


@pytest.mark.parametrize(("pixel", "level"), [((1.5, 0, 0.75), (3, 8, 4)), ((0.5, 0.5, -1), (2, 4, 8)), ((-1, -1, -1), (1, 4, 4))])
def test_light_changes_one_level_and_leaves_red_against_green_and_yellow_against_blue(pixel, level):
    found = (shares(np.full((1, 4, 4, 3), pixel))[0, 0] ** 2 / 100).reshape(LEVELS)
    assert np.unravel_index(found.argmax(), LEVELS) == level
    np.testing.assert_array_equal(np.flatnonzero(found.sum(axis=(0, 2)) > 1e-6), [level[1]])
    np.testing.assert_array_equal(np.flatnonzero(found.sum(axis=(0, 1)) > 1e-6), [level[2]])


def test_the_light_that_the_network_sees_changed_is_not_changed_for_the_colours():
    config = TrainerConfig(model="resnet", augment=["flip", "colour"])
    model = build_model(config, Multiclass(classes=2), {names.PIXELS: tf.io.FixedLenFeature((8, 6, 3), tf.float32)})
    pixels = np.random.default_rng(0).normal(size=(8, 8, 6, 3)).astype(np.float32)
    model.get_layer("colours").kernel.assign(np.random.default_rng(1).normal(size=model.get_layer("colours").kernel.shape))
    seen = keras.Model(model.input, model.get_layer("colours").output)
    np.testing.assert_allclose(seen(pixels, training=True), seen(pixels, training=False), rtol=1e-4, atol=1e-4)


def test_members_learn_apart_and_are_asked_together():
    first, second = tf.constant([[1.0, -1.0]]), tf.constant([[0.5, 2.0]])
    assert Together()([first, second], training=True).shape == (1, 2, 2)
    np.testing.assert_allclose(Together()([first, second]), [[[1.5, 1.0]]])


def test_colours_alone_are_learnt_where_shapes_say_nothing():
    random = np.random.default_rng(0)
    labels = np.arange(64) % 2
    pixels = random.normal(scale=0.5, size=(64, 8, 8, 3)).astype(np.float32)
    pixels[..., 0] += np.where(labels, 0.7, -0.7)[:, np.newaxis, np.newaxis]
    config = TrainerConfig(model="resnet", learning_rate=0.002)
    model = build_model(config, Multiclass(classes=2), {names.PIXELS: tf.io.FixedLenFeature((8, 8, 3), tf.float32)})
    colours = keras.Model(model.input, model.get_layer("colours").output)
    assert not colours.predict(pixels, verbose=0).any()  # it starts without an opinion
    model.fit(pixels, labels, epochs=5, batch_size=8, verbose=0)
    assert (colours.predict(pixels, verbose=0).argmax(axis=1) == labels).mean() > 0.95
