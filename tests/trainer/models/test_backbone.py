"""`trainer.backbone`: networks that others have saved become the lower part of a model, or are refused in one line."""

import keras
import numpy as np
import pydantic
import pytest
import tensorflow as tf
from keras import layers

from tests.backbones import built, hub_module, network
from trainer.config import TrainerConfig
from trainer.errors import ConfigError
from trainer.features import names

PICTURES = np.random.default_rng(1).random((3, 8, 8, 1), np.float32)


@pytest.fixture
def saved(tmp_path):
    """The places of a file and of a SavedModel, each with the network in it."""
    hub_module(tmp_path / "hub")
    model = network()
    model.save(tmp_path / "network.keras")
    module = tf.saved_model.load(str(tmp_path / "hub"))
    return {"keras": (tmp_path / "network.keras", lambda x: model(x)), "hub": (tmp_path / "hub", lambda x: module(x, False))}


def features(model, pictures=PICTURES):
    """What the network of the model says of the pictures, (rows, width)."""
    return keras.Model(model.input, model.get_layer("head").input)(pictures, training=False)


@pytest.mark.parametrize("kind", ["keras", "hub"])
def test_the_features_are_those_of_the_network_for_grey_pictures_as_colours_in_its_range(saved, kind):
    place, told = saved[kind]
    colours = np.repeat(PICTURES, 3, -1)
    for backbone, taken in ({}, colours), ({"range": [-1, 1]}, 2 * colours - 1), ({"range": [0, 255]}, 255 * colours):
        wanted = told(tf.constant(taken))
        wanted = tf.reduce_mean(wanted, (1, 2)) if len(wanted.shape) == 4 else wanted
        np.testing.assert_allclose(features(built(place, backbone=backbone)), wanted, rtol=1e-3, atol=1e-4)


def test_an_export_of_keras_is_a_network_too(tmp_path):
    model = network()
    model.export(tmp_path / "exported", verbose=False)
    given = built(tmp_path / "exported", freeze=[])
    np.testing.assert_allclose(features(given), tf.reduce_mean(model(np.repeat(PICTURES, 3, -1)), (1, 2)), rtol=1e-4, atol=1e-5)
    assert len(given.trainable_variables) == len(model.trainable_variables) + 2


@pytest.mark.parametrize(("kind", "trained"), [("keras", 6), ("hub", 1)])
def test_the_head_alone_is_trained_unless_freeze_says_otherwise(saved, kind, trained):
    """Of a module of TF Hub its own list says what can be trained; one of its variables is not in it."""
    place, _ = saved[kind]
    assert [variable.path for variable in built(place).trainable_variables] == ["head/kernel", "head/bias"]
    assert len(built(place, freeze=[]).trainable_variables) == trained + 2


def test_a_network_that_was_frozen_when_it_was_saved_can_be_trained(tmp_path):
    model = network()
    model.trainable = False
    model.save(tmp_path / "frozen.keras")
    assert len(built(tmp_path / "frozen.keras", freeze=[]).trainable_variables) == 8
    some = built(tmp_path / "frozen.keras", freeze=["lower", "normal"])
    assert [variable.path.partition("/")[0] for variable in some.trainable_variables] == ["upper", "upper", "head", "head"]


@pytest.mark.parametrize("kind", ["keras", "hub"])
def test_while_it_is_frozen_it_keeps_its_averages_and_answers_as_when_it_serves(saved, kind):
    place, _ = saved[kind]
    for frozen in (None, []):
        model = built(place, freeze=frozen, dropout=0.0)
        before = [weight.numpy() for weight in model.get_layer("backbone").weights]
        answers = [model(PICTURES, training=training).numpy() for training in (False, True)]
        assert np.array_equal(*answers) == (frozen is None)
        after = [weight.numpy() for weight in model.get_layer("backbone").weights]
        assert all(map(np.array_equal, before, after)) == (frozen is None)


def test_what_a_whole_classifier_says_is_features(tmp_path):
    whole = keras.Sequential([network(), layers.GlobalAveragePooling2D(), layers.Dense(5)])
    whole.save(tmp_path / "whole.keras")
    assert features(built(tmp_path / "whole.keras")).shape == (3, 5)


def test_16_bits_are_for_the_head_and_the_network_keeps_its_own(saved):
    for place, _ in saved.values():
        model = built(place, precision="mixed_bfloat16", backbone={"range": [0, 255]})
        assert model.get_layer("backbone").compute_dtype == "float32"
        assert model.get_layer("range").compute_dtype == "float32"
        assert model.get_layer("head").compute_dtype == "bfloat16"
        assert model(PICTURES).dtype == tf.float32


def _lambda(folder):
    keras.Sequential([keras.Input((8, 8, 3)), layers.Lambda(lambda x: x * 2), layers.GlobalAveragePooling2D()]).save(folder / "x.keras")


class Unknown(layers.Layer):
    """Of somebody's own."""

    def call(self, x):
        return x


def _unknown(folder):
    keras.Sequential([keras.Input((8, 8, 3)), Unknown(), layers.GlobalAveragePooling2D()]).save(folder / "x.keras")


def _of(function, spec):
    def save(folder):
        module = tf.Module()
        module.weight = tf.Variable(1.0)
        module.__call__ = tf.function(lambda x: function(x, module.weight), input_signature=[spec])
        tf.saved_model.save(module, str(folder / "x"))

    return save


def _keras(make):
    return lambda folder: make().save(folder / "x.keras")


def _two_inputs():
    inputs = [keras.Input((8, 8, 3)), keras.Input((8, 8, 3))]
    return keras.Model(inputs, layers.Add()(inputs))


REFUSED = {
    "lambda": (_lambda, r"loaded without code of its own .* Received: one with a Lambda layer, which is code\.$"),
    "unknown": (_unknown, r"loaded without code of its own .* Received: one of class 'Unknown', which Keras does not know\.$"),
    "none": (lambda folder: (folder / "x.keras").write_bytes(b"nothing"), r"that can be loaded .* Received: "),
    "damaged": (
        lambda folder: (folder / "x").mkdir() or (folder / "x/saved_model.pb").write_bytes(b"x"),
        r"that can be loaded .* Received: ",
    ),
    "size": (_keras(lambda: network((9, 7, 3))), r"pictures of 9 x 7 pixels.* Received: 8 x 8\. Set the picture's `size: \[9, 7\]`"),
    "channels": (_keras(lambda: network((8, 8, 4))), r"pictures of 4 channels.* Received: 1\. Set"),
    "vectors": (
        _keras(lambda: keras.Sequential([keras.Input((5,)), layers.Dense(3)])),
        r"to take any number of pictures.* which takes \(batch, 5\)",
    ),
    "inputs": (_keras(_two_inputs), r"a functional model of one picture .* Received: Functional of 2 inputs and 1 outputs\. Save"),
    "sequence": (
        _keras(lambda: keras.Sequential([keras.Input((8, 8, 3)), layers.Reshape((64, 3)), layers.Dense(2)])),
        r"to give features.* Received: \(batch, 64, 2\) of '.*\.keras'\. Use another one",
    ),
    "texts": (
        _of(lambda texts, w: tf.strings.length(texts), tf.TensorSpec((None,), tf.string)),
        r"Received: ValueError: a module of texts, .*: use one of pictures\.$",
    ),
    "bytes": (
        _of(lambda x, w: w * tf.cast(x, tf.float32), tf.TensorSpec((None, 8, 8, 3), tf.uint8)),
        r"without a function of float32.* uint8",
    ),
    "several": (
        _of(lambda x, w: {"a": w * tf.reduce_mean(x, (1, 2)), "b": x}, tf.TensorSpec((None, None, None, 3))),
        r"to give features.* Received: \S*[dD]ict\S* of '.*x'",
    ),
    "one row": (
        _of(lambda x, w: w * tf.reduce_mean(x, (1, 2)), tf.TensorSpec((1, 8, 8, 3))),
        r"to take any number of pictures.* takes \(1, 8, 8, 3\)",
    ),
    "no variables": (
        _of(lambda x, w: tf.reduce_mean(x, (1, 2)), tf.TensorSpec((None, 8, 8, 3))),
        r"Received: ValueError: one without variables",
    ),
    "no weights": (_keras(lambda: keras.Sequential([keras.Input((8, 8, 3)), layers.ReLU()])), r"that has learnt .* has no weights\.$"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_network_for_these_pictures_is_refused_in_one_line(tmp_path, kind):
    save, said = REFUSED[kind]
    save(tmp_path)
    with pytest.raises(ConfigError, match=said) as caught:
        built(next(tmp_path.glob("x*")))
    assert "\n" not in str(caught.value)


def test_other_features_than_one_picture_are_refused(saved):
    place, _ = saved["keras"]
    columns = {"numbers": tf.io.FixedLenFeature((3,), tf.float32)}
    with pytest.raises(ConfigError, match=r"^Expected one picture as the only feature for `trainer\.model: backbone`"):
        built(place, inputs=columns)
    colours = {names.PIXELS: tf.io.FixedLenFeature((8, 8, 3), tf.float32)}
    assert "grey_as_colours" not in [layer.name for layer in built(place, inputs=colours).layers]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"model": "cnn", "backbone": {"path": "x"}}, r"backbone: Expected none with `trainer\.model: cnn`.* Received: 'x'\. Leave one"),
        ({"model": "backbone"}, r"backbone: Expected a network with `trainer\.model: backbone`\. Received: none\. Set"),
        ({"backbone": {"path": "x", "range": [1, 0]}}, r"range: Expected the value of black and a greater one\. Received: \[1\.0, 0\.0\]"),
        ({"backbone": {"path": "x"}, "freeze": [], "thaw_after": 1}, r"thaw_after: Expected none without `trainer\.freeze`"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(settings, said):
    with pytest.raises(pydantic.ValidationError, match=said):
        TrainerConfig(**settings)
