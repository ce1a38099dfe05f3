"""A trained model for TensorFlow.js: under Node it answers as the saved model does; what stands in the way is one line."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.conftest import ROWS
from tests.trainer.export.test_converted import Lacking, hashed, picture_model
from tests.trainer.transform_run import of_table
from trainer import exported, fit
from trainer.errors import ConfigError
from trainer.export import converted, tfjs
from trainer.export.rows import RAW_FILES, raw_rows
from trainer.export_config import ExportConfig
from trainer.features.category import CategoryFeature
from trainer.features.number import NumberFeature
from trainer.run import run
from trainer.tasks import Regression


def missing():
    """Why nothing can answer here; None where all is there."""
    try:
        return tfjs.check()
    except ConfigError as error:
        return str(error)


def under_node(test):
    reason = missing()
    return pytest.mark.slow(pytest.mark.skipif(reason is not None, reason=str(reason))(test))


def test_without_node_or_its_packages_it_is_refused_before_the_training_with_what_to_do(scaled, tmp_path, monkeypatch):
    arguments = scaled.fn_args(tmp_path, epochs=1)
    arguments.custom_config |= {"export": '{"tfjs": true}'}
    folder = tmp_path / "a folder"
    monkeypatch.setattr(tfjs, "_NODE", "no-such-program")
    monkeypatch.setattr(tfjs, "_JAVASCRIPT", folder)
    with pytest.raises(ConfigError) as refusal:
        run(arguments, fit.train)
    assert str(refusal.value) == (
        "Expected Node and TensorFlow.js for `export.tfjs: true`. Missing: no-such-program, @tensorflow/tfjs-backend-cpu, "
        "@tensorflow/tfjs-backend-wasm, @tensorflow/tfjs-converter, @tensorflow/tfjs-core. "
        f"Next: install Node 18 or newer, then npm ci --ignore-scripts --prefix '{folder}'"
    )
    assert not tf.io.gfile.exists(arguments.model_run_dir)


def test_the_packages_are_locked_with_a_digest_each_and_no_address_of_an_index():
    wanted = json.loads((tfjs._JAVASCRIPT / "package.json").read_text())["dependencies"]
    packages = json.loads((tfjs._JAVASCRIPT / "package-lock.json").read_text())["packages"]
    assert set(wanted) == {f"@tensorflow/tfjs-{name}" for name in tfjs._PACKAGES}
    assert packages.pop("")["dependencies"] == wanted
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert all(package["integrity"].startswith("sha512-") and "resolved" not in package for package in packages.values())


def test_texts_in_the_graph_are_refused_in_a_clause():
    looked_up = Lacking(lambda x: tf.strings.length(tf.gather(tf.constant(["a", "bc"]), tf.cast(x, tf.int32))))
    with pytest.raises(ValueError, match=r"^TensorFlow\.js has no vocabularies and texts as TensorFlow does, and the graph has some$"):
        tfjs.convert(looked_up)


@under_node
def test_a_picture_goes_in_as_pixels_and_the_model_answers_as_the_saved_model_does(standardized, tmp_path):
    served, model, graph = picture_model(standardized, tmp_path / "Format-Serving")
    files = {"train": f"{standardized.graph_path}/raw-train.gz", "test": f"{standardized.graph_path}/raw-train.gz"}
    converted.convert(served, model, graph, standardized.problem, ExportConfig(litert=["float32"], tfjs=True), files, str(tmp_path))
    litert, found = exported.read(str(tmp_path))
    pixels, labels = standardized.images[ROWS["train"]], standardized.labels[ROWS["train"]]
    signatures = tf.saved_model.load(str(tmp_path / "Format-Serving")).signatures
    wanted = signatures["predict_pixels"](pixels=tf.constant(pixels))["probabilities"].numpy()
    contents = [(tmp_path / "converted/tfjs" / name).read_bytes() for name in ("model.json", "weights.bin")]
    runner = tfjs.Runner(*contents)
    answers = runner({"pixels": pixels})
    np.testing.assert_allclose(answers, wanted, atol=1e-5)
    assert (found.format, found.file, found.bytes) == ("tfjs float32", "converted/tfjs/model.json", sum(map(len, contents)))
    assert (litert.rows, found.rows, found.metric) == (299, 100, "accuracy")
    assert found.difference == pytest.approx(np.abs(answers - wanted)[:100].max(), abs=1e-6)
    for value in (found.value, found.saved_model):
        assert value == pytest.approx((wanted.argmax(axis=1) == labels)[:100].mean())
    assert found.milliseconds > 0
    process, folder = runner._process, Path(runner._folder.name)
    del runner
    assert (process.poll(), folder.exists()) == (0, False)


@under_node
def test_columns_go_in_by_their_names(tmp_path):
    (tmp_path / "table").mkdir()
    columns = {
        "size": [1.5, None, -3.0] * 20,
        "a colour": ["a", "b", "a"] * 20,
        "Beta": [0.5, 2.0, 7.0] * 20,
        "y": [100.0, 140.0, 80.0] * 20,
    }
    features = {"size": NumberFeature(), "a colour": CategoryFeature(), "Beta": NumberFeature()}
    table = of_table(tmp_path / "table", {"train": columns, "eval": columns}, features, "y", Regression())
    arguments = table.fn_args(tmp_path, fit, epochs=2)
    raw = f"{table.folder}/raw-eval.gz"
    arguments.custom_config |= {"export": '{"tfjs": true}', RAW_FILES: {"train": raw, "eval": raw, "test": raw}}
    run(arguments, fit.train)
    [found] = exported.read(arguments.serving_model_dir.rpartition("/")[0])
    signature = tf.saved_model.load(arguments.serving_model_dir).signatures["serving_default"]
    values = signature(examples=tf.constant(raw_rows(raw, 100)))["values"].numpy()
    assert (found.failure, found.metric, found.rows) == (None, "RMSE", 60)
    assert found.value == pytest.approx(float(np.sqrt(np.mean((values - columns["y"]) ** 2))), rel=1e-4)


def looped(x):
    """The condition and the body each have a constant `add/y`."""
    return tf.while_loop(lambda i, _: i + 3 < 8, lambda i, x: (i + 1, x * 0.5 + 7.0), [tf.constant(0), x])[1]


@under_node
@pytest.mark.parametrize(
    "make",
    [
        lambda: lambda x: tf.einsum("nij,njk->nik", x, tf.transpose(x, [0, 2, 1])),  # WebAssembly has none
        lambda: keras.layers.LSTM(3),  # a loop
        lambda: looped,
    ],
    ids=["einsum", "recurrent", "constants"],
)
def test_what_the_fastest_way_of_running_lacks_is_run_in_another_way(make):
    portable = Lacking(make())
    x = np.random.default_rng(3).normal(size=(5, 4, 2)).astype(np.float32)
    answers = tfjs.Runner(*tfjs.convert(portable))({"x": x})
    np.testing.assert_allclose(answers, portable.predict(x=tf.constant(x))["probabilities"], atol=1e-5)


@under_node
def test_what_needs_operations_that_tensorflow_js_lacks_is_one_line():
    runner = tfjs.Runner(*tfjs.convert(Lacking(hashed)))
    with pytest.raises(ValueError, match=r"^TensorFlow.js says: Unknown op 'AsString'\.[^\n]*$"):
        runner({"x": np.zeros((1, 4, 2), np.float32)})


@under_node
def test_a_program_that_ends_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "answer.js").write_text("process.exit(7);\n", encoding="utf-8")
    monkeypatch.setattr(tfjs, "_JAVASCRIPT", tmp_path)
    with pytest.raises(ValueError, match=r"^Node ended with status 7$"):
        tfjs.Runner(b"{}", b"")({"x": np.zeros((1, 4, 2), np.float32)})
