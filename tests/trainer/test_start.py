"""Weights to start from, and layers that keep theirs: real files of real models, in both loops."""

import zipfile

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from components import start as start_place
from tests.backbones import built as built_on
from tests.backbones import network
from tests.trainer.interrupted import DIGITS, LOOPS, assert_same_end, execute, killed
from trainer import fit
from trainer.config import TrainerConfig
from trainer.errors import ConfigError
from trainer.features import names
from trainer.input_pipeline import Position
from trainer.models import build_model
from trainer.run import prepare, read_material, run
from trainer.start import KEY
from trainer.tasks import Multiclass

PIXELS = {names.PIXELS: tf.io.FixedLenFeature((8, 8, 1), tf.float32)}


def started(artifacts, place):
    """The artifacts, whose trainings are given what a run finds of `place`."""

    class Started(type(artifacts)):
        def fn_args(self, folder, **trainer):
            fn_args = super().fn_args(folder, **{**trainer, "start_from": str(place)})
            fn_args.custom_config[KEY] = start_place.find(str(place), "/nowhere").to_json()
            return fn_args

    return Started(*artifacts)


def built(classes=10, **settings):
    return build_model(TrainerConfig(**{"model": "mlp", **settings}), Multiclass(classes=classes), PIXELS)


def begun(artifacts, place, folder, **settings):
    """The model as a training from `place` begins with it."""
    return prepare(read_material(started(artifacts, place).fn_args(folder, **{**DIGITS, **settings}))).model


@pytest.fixture(params=["given.weights.h5", "given.keras"])
def given(request, tmp_path):
    """(file, its model) of other weights than a training draws."""
    model, file = built(seed=7), tmp_path / request.param
    (model.save_weights if file.name.endswith(".h5") else model.save)(file)
    return file, model


@pytest.mark.parametrize("strategy", ["one_device", pytest.param("mirrored", marks=pytest.mark.slow)])
def test_a_training_begins_with_the_weights_of_the_file(scaled, tmp_path, given, strategy):
    file, model = given
    for found, wanted in zip(begun(scaled, file, tmp_path, strategy=strategy).get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("strategy", ["one_device", pytest.param("mirrored", marks=pytest.mark.slow)])
def test_an_exported_model_is_a_start(scaled, tmp_path, strategy):
    fn_args = scaled.fn_args(tmp_path, **DIGITS, weights="last")
    kept = []

    def train(model, *rest):
        history = fit.train(model, *rest)
        kept.extend(model.get_weights())
        return history

    run(fn_args, train)
    for found, wanted in zip(begun(scaled, fn_args.serving_model_dir, tmp_path, strategy=strategy).get_weights(), kept, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_both_loops_end_alike_from_a_file_with_a_layer_frozen(scaled, tmp_path, given):
    file, model = given
    ends = [execute(loop, started(scaled, file), tmp_path / loop, freeze=["dense"], weights="last") for loop in LOOPS]
    assert_same_end(*ends)
    fresh = execute("fit", scaled, tmp_path / "fresh", weights="last")
    assert ends[0].history["loss"] != fresh.history["loss"]
    for end in ends:
        np.testing.assert_array_equal(end.best[0], model.get_weights()[0])  # the kernel of `dense`, as it was in the file
        assert (end.best[2] != model.get_weights()[2]).any()  # and of `dense_1`, which is trained


@pytest.mark.parametrize("loop", LOOPS)
def test_an_interrupted_training_ends_alike_and_another_content_of_the_file_begins_anew(scaled, tmp_path, loop):
    file = tmp_path / "given.weights.h5"
    built(seed=7).save_weights(file)
    artifacts, settings = started(scaled, file), {"freeze": ["dense"]}
    whole = execute(loop, artifacts, tmp_path / "whole", **settings)
    killed(loop, artifacts, tmp_path / "killed", 9, **settings)
    again = execute(loop, artifacts, tmp_path / "killed", **settings)
    assert again.begin > Position(0, 0)
    assert_same_end(whole, again)
    killed(loop, artifacts, tmp_path / "other", 9, **settings)
    built(seed=8).save_weights(file)
    assert execute(loop, artifacts, tmp_path / "other", **settings).begin == Position(0, 0)


def test_a_last_layer_of_other_classes_is_refused_or_starts_anew(scaled, tmp_path):
    file = tmp_path / "seven.weights.h5"
    seven = built(classes=7, seed=7)
    seven.save_weights(file)
    with pytest.raises(ConfigError, match=r"shape \(128, 10\) for 'dense_1'.*\(128, 7\) in 'seven.*`trainer\.start_without`"):
        begun(scaled, file, tmp_path)
    model = begun(scaled, file, tmp_path, start_without=["dense_1"])
    np.testing.assert_array_equal(model.get_weights()[0], seven.get_weights()[0])
    np.testing.assert_array_equal(model.get_weights()[2], built().get_weights()[2])


def test_a_file_or_a_folder_of_another_model_is_refused_in_one_line(scaled, tmp_path):
    file = tmp_path / "other.weights.h5"
    built(model="cnn").save_weights(file)
    next_step = r".*Set `trainer\.model`"
    with pytest.raises(ConfigError, match=r"^Expected the model's 4 variables in 'other\.weights\.h5'.* Received: \d+, .*" + next_step):
        begun(scaled, file, tmp_path)
    with pytest.raises(ConfigError, match=r"^Expected the model's \d+ variables in .* Received: 5\. " + next_step):
        begun(scaled, scaled.teacher(), tmp_path, model="cnn")
    file.write_bytes(b"no weights at all")
    with pytest.raises(ConfigError, match=r"^Expected weights that can be read in .*other\.weights\.h5'"):
        begun(scaled, file, tmp_path)


def test_of_a_keras_file_nothing_but_the_weights_is_read(scaled, tmp_path):
    model, file = built(seed=7), tmp_path / "given.keras"
    model.save(file)
    bare = tmp_path / "bare.keras"
    with zipfile.ZipFile(file) as whole, zipfile.ZipFile(bare, "w") as archive:
        archive.writestr("model.weights.h5", whole.read("model.weights.h5"))
        archive.writestr("config.json", "no model at all")
    np.testing.assert_array_equal(begun(scaled, bare, tmp_path).get_weights()[0], model.get_weights()[0])


def test_weights_that_lie_in_another_file_are_refused(scaled, tmp_path):
    file = tmp_path / "linked.weights.h5"
    built().save_weights(file)
    (tmp_path / "elsewhere").write_bytes(bytes(128 * 4))
    with h5py.File(file, "r+") as stored:
        del stored["layers/dense/vars/1"]
        stored.create_dataset("layers/dense/vars/1", (128,), "f4", external=[(str(tmp_path / "elsewhere"), 0, 512)])
    with pytest.raises(ConfigError, match=r"values that lie in another file, at layers/dense/vars/1"):
        begun(scaled, file, tmp_path)


def test_the_random_generators_have_the_state_of_the_seed_and_not_that_after_the_training_before(scaled, tmp_path):
    states = [model.layers[2].seed_generator.state.numpy().tolist() for model in (begun(scaled, scaled.teacher(), tmp_path), built())]
    left = tf.train.load_variable(f"{scaled.teacher()}/variables/variables", "_values/2/.ATTRIBUTES/VARIABLE_VALUE").tolist()
    assert states[0] == states[1] != left


def test_without_a_pushed_model_the_last_one_is_none_and_the_log_says_so(scaled, tmp_path, caplog):
    assert start_place.find("last", str(tmp_path / "served")) is None
    caplog.set_level("INFO", "trainer")
    model = prepare(read_material(scaled.fn_args(tmp_path, **DIGITS, start_from="last"))).model
    np.testing.assert_array_equal(model.get_weights()[0], built().get_weights()[0])
    assert "the training starts from fresh weights" in caplog.text


def test_layers_are_frozen_by_name_or_pattern_and_the_optimizer_has_only_the_others():
    model = built(model="cnn", freeze=["conv2d*"])
    trained = {variable.path.partition("/")[0] for variable in model.trainable_variables}
    assert trained and not any(name.startswith("conv2d") for name in trained)
    own = {variable.path.partition("/")[0] for variable in model.optimizer._trainable_variables}
    assert own == trained


def test_a_name_that_no_layer_has_and_freezing_all_of_them_are_refused():
    with pytest.raises(ConfigError, match=r"`trainer\.freeze` to name layers .* Received: 'densee'\. Did you mean 'dense'\?"):
        built(freeze=["densee"])
    with pytest.raises(ConfigError, match=r"`trainer\.freeze` to leave a layer to train\. Received: '\*', all of them"):
        built(freeze=["*"])


def test_the_layers_of_every_model_of_a_process_have_the_same_names():
    assert [layer.name for layer in built().layers] == [layer.name for layer in built().layers]
    assert isinstance(built(), keras.Model)


def test_a_layer_inside_of_another_model_starts_anew_alone(scaled, tmp_path):
    """A layer of a network inside of the model, named in `start_without`, leaves the rest of that network as the file has it."""
    network().save(tmp_path / "network.keras")
    given = built_on(tmp_path / "network.keras", seed=7)
    for weight in given.weights:
        weight.assign(weight + 1.0)
    file = tmp_path / "given.weights.h5"
    given.save_weights(file)
    settings = {"model": "auto", "backbone": {"path": str(tmp_path / "network.keras")}}
    fresh = prepare(read_material(scaled.fn_args(tmp_path, **{**DIGITS, **settings}))).model
    for without, layers in ({"upper"}, {"upper"}), ({"backbone"}, {"lower", "normal", "upper"}), ({"head"}, {"head"}):
        model = begun(scaled, file, tmp_path, start_without=[*without], **settings)
        for weight, own, loaded in zip(model.weights, fresh.weights, given.weights, strict=True):
            wanted = own if weight.path.partition("/")[0] in layers else loaded
            np.testing.assert_array_equal(weight.numpy(), wanted.numpy(), err_msg=f"{without} {weight.path}")
