"""Trainings on a network from elsewhere: both loops, interrupted, thawed at a lower rate, exported, and from little data."""

import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from sklearn.datasets import load_digits

from tests.backbones import built, hub_module, network
from tests.trainer.interrupted import DIGITS, LOOPS, assert_same_end, execute, killed
from trainer import fit
from trainer.input_pipeline import Position
from trainer.run import prepare, read_material, run

THAWED = {"model": "auto", "thaw_after": 1, "start_rate": 0.1, "weights": "last"}


@pytest.fixture(scope="module", params=["keras", "hub"])
def place(request, tmp_path_factory):
    """A file of Keras, then a SavedModel."""
    folder = tmp_path_factory.mktemp("networks")
    if request.param == "hub":
        hub_module(folder / "hub")
        return folder / "hub"
    network().save(folder / "network.keras")
    return folder / "network.keras"


def of(place, **settings):
    return {**THAWED, "backbone": {"path": str(place)}, **settings}


def layer_weights(model):
    return [weight.numpy() for weight in model.get_layer("backbone").weights]


def begun(artifacts, folder, **settings):
    return prepare(read_material(artifacts.fn_args(folder, **{**DIGITS, **settings}))).model


@pytest.mark.parametrize(
    "settings",
    [
        {"thaw_after": None},
        {"ema": 0.9, "augment": ["colour"], "optimizer": "adamw"},
        pytest.param({"strategy": "mirrored", "batch_size": 64}, marks=pytest.mark.slow),
    ],
    ids=["frozen", "thawed", "mirrored"],
)
def test_both_loops_end_alike(scaled, tmp_path, place, settings):
    ends = [execute(loop, scaled, tmp_path / loop, **of(place, **settings)) for loop in LOOPS]
    assert_same_end(*ends)


@pytest.mark.parametrize("loop", LOOPS)
def test_an_interrupted_training_ends_alike(scaled, tmp_path, place, loop):
    """Interrupted in the epoch behind the one that was frozen."""
    settings = of(place, checkpoints={"steps": 5})
    whole = execute(loop, scaled, tmp_path / "whole", **settings)
    killed(loop, scaled, tmp_path / "killed", {"fit": 8, "gradient_tape": 17}[loop], **settings)
    again = execute(loop, scaled, tmp_path / "killed", **settings)
    assert again.begin == Position(1, 5)
    assert_same_end(whole, again)


def test_frozen_weights_are_those_of_the_file_to_the_bit(scaled, tmp_path, place):
    settings = of(place, thaw_after=None, start_rate=1.0)
    given = begun(scaled, tmp_path, **settings)
    end = execute("fit", scaled, tmp_path, **settings)
    kept = len(given.get_layer("backbone").weights)
    for found, wanted in zip(end.best[:kept], layer_weights(given), strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert (end.best[kept] != given.get_layer("head").get_weights()[0]).any()


def test_thawed_weights_go_a_share_of_the_way(scaled, tmp_path, place):
    """With Adam the first step of each weight is as long as the rate."""
    settings = {"freeze": [], "thaw_after": None, "batch_size": 299, "epochs": 1, "learning_rate": 0.01, "dropout": 0.0}
    moved = []
    for rate in (1.0, 0.25):
        given = begun(scaled, tmp_path, **of(place, start_rate=rate, **settings))
        end = execute("fit", scaled, tmp_path / str(rate), **of(place, start_rate=rate, **settings))
        pairs = zip(given.weights, end.best, strict=True)
        moved.append({weight.path: float(np.abs(value - weight.numpy()).max()) for weight, value in pairs if weight.trainable})
    assert len(moved[0]) > 2
    for path, way in moved[0].items():
        assert moved[1][path] == pytest.approx(way if path.startswith("head/") else 0.25 * way, rel=2e-2), path


def test_the_export_answers_when_the_network_is_gone(scaled, tmp_path, place):
    copy = tmp_path / place.name
    (shutil.copytree if place.is_dir() else shutil.copy)(place, copy)
    fn_args = scaled.fn_args(tmp_path, **{**DIGITS, **of(copy, epochs=2), "must_learn": False})
    kept = []

    def train(model, *rest):
        history = fit.train(model, *rest)
        kept.append(keras.Model(model.input, model.output)(scaled.images[:5] / np.float32(255), training=False).numpy())
        return history

    run(fn_args, train)
    (shutil.rmtree if copy.is_dir() else lambda file: file.unlink())(copy)
    served = tf.saved_model.load(fn_args.serving_model_dir).signatures["serving_default"](examples=tf.constant(scaled.raw[:5]))
    np.testing.assert_allclose(served["probabilities"], tf.nn.softmax(kept[0]), rtol=1e-3, atol=1e-5)


def test_fifty_pictures_teach_more_above_a_network_that_knows_the_digits(tmp_path):
    """How many holes a digit has: told better above a network that was taught the digits than by the same layers from random weights."""
    images, digits = load_digits(return_X_y=True)
    images, holes = images.reshape(-1, 8, 8, 1).astype(np.float32) / 16, np.array([1, 0, 0, 0, 0, 0, 1, 0, 2, 1])[digits]
    keras.utils.set_random_seed(5)
    lower = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, 2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
        ]
    )
    lower.save(tmp_path / "fresh.keras")
    whole = keras.Sequential([lower, layers.Dense(10)])
    whole.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    whole.fit(images[:1000], digits[:1000], epochs=20, verbose=0, shuffle=False)
    lower.save(tmp_path / "taught.keras")

    def accuracy(file, **settings):
        model = built(tmp_path / file, classes=3, dropout=0.0, learning_rate=0.01, **settings)
        model.fit(images[1000:1050], holes[1000:1050], batch_size=10, epochs=40, verbose=0, shuffle=False)
        return float(np.mean(np.argmax(model.predict(images[1050:], verbose=0), -1) == holes[1050:]))

    assert accuracy("taught.keras") > accuracy("fresh.keras", freeze=[]) + 0.02
