"""A trained model as files for other runtimes: they answer as the saved model does, and what they cost is written down."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from tests.trainer.conftest import ROWS
from tests.trainer.transform_run import of_table
from trainer import exported, fit
from trainer.config import TrainerConfig
from trainer.errors import ConfigError
from trainer.export import converted, export, litert, onnx
from trainer.export.portable import Portable
from trainer.export.rows import RAW_FILES, raw_rows
from trainer.export_config import ExportConfig
from trainer.features.category import CategoryFeature
from trainer.features.number import NumberFeature
from trainer.models import build_model
from trainer.run import run
from trainer.tasks import Regression

ALL = ["float32", "float16", "int8"]


def picture_model(artifacts, folder):
    """(what was saved, the model, its graph) of pictures."""
    graph = tft.TFTransformOutput(artifacts.graph_path)
    spec = {name: feature for name, feature in graph.transformed_feature_spec().items() if name != "label"}
    model = build_model(TrainerConfig(seed=3, model="cnn"), artifacts.problem.task, spec)
    return export(model, graph, artifacts.problem, str(folder)), model, graph


def test_a_picture_goes_in_as_pixels_and_the_files_answer_as_the_saved_model_does(standardized, tmp_path):
    served, model, graph = picture_model(standardized, tmp_path / "Format-Serving")
    files = {"train": f"{standardized.graph_path}/raw-train.gz", "test": f"{standardized.graph_path}/raw-eval.gz"}
    converted.convert(served, model, graph, standardized.problem, ExportConfig(litert=ALL), files, str(tmp_path))
    found = {each.format: each for each in exported.read(str(tmp_path))}
    assert list(found) == ["litert float32", "litert float16", "litert int8"]
    pixels = standardized.images[ROWS["eval"]]
    signatures = tf.saved_model.load(str(tmp_path / "Format-Serving")).signatures
    wanted = signatures["predict_pixels"](pixels=tf.constant(pixels))["probabilities"].numpy()
    accuracy = (wanted.argmax(axis=1) == standardized.labels[ROWS["eval"]]).mean()
    for precision, most in (("float32", 1e-5), ("float16", 0.01), ("int8", 0.1)):
        each = found[f"litert {precision}"]
        content = (tmp_path / each.file).read_bytes()
        answers = litert.Runner(content)({"pixels": pixels})
        np.testing.assert_allclose(answers, wanted, atol=most)
        assert each.difference == pytest.approx(np.abs(answers - wanted).max(), abs=1e-6)
        assert (each.bytes, each.rows, each.metric) == (len(content), len(pixels), "accuracy")
        assert each.saved_model == pytest.approx(accuracy)
        assert each.value == pytest.approx((answers.argmax(axis=1) == standardized.labels[ROWS["eval"]]).mean())
        assert each.milliseconds > 0
        assert each.line.startswith(f"litert {precision}: {each.bytes:,} bytes, ")
    assert found["litert int8"].bytes < 0.5 * found["litert float32"].bytes
    assert json.loads((tmp_path / "converted/problem.json").read_text())["task"]["kind"] == "multiclass"


def test_a_run_of_columns_leaves_the_files_beside_the_saved_model_and_says_what_they_are_worth(tmp_path):
    (tmp_path / "table").mkdir()
    columns = {"size": [1.5, None, -3.0] * 20, "colour": ["a", "b", "a"] * 20, "y": [100.0, 140.0, 80.0] * 20}
    features = {"size": NumberFeature(), "colour": CategoryFeature()}
    table = of_table(tmp_path / "table", {"train": columns, "eval": columns}, features, "y", Regression())
    arguments = table.fn_args(tmp_path, fit, epochs=2)
    raw = f"{table.folder}/raw-eval.gz"
    arguments.custom_config |= {"export": '{"litert": ["float32"]}', RAW_FILES: {"train": raw, "eval": raw, "test": raw}}
    run(arguments, fit.train)
    [found] = exported.read(arguments.serving_model_dir.rpartition("/")[0])
    values = tf.saved_model.load(arguments.serving_model_dir).signatures["serving_default"](examples=tf.constant(raw_rows(raw, 100)))[
        "values"
    ]
    rmse = float(np.sqrt(np.mean((values.numpy() - columns["y"]) ** 2)))
    assert (found.format, found.metric, found.rows) == ("litert float32", "RMSE", 60)
    assert found.value == pytest.approx(rmse, rel=1e-4)
    assert found.saved_model == pytest.approx(rmse, rel=1e-4)


def test_an_int8_file_that_loses_more_than_it_may_is_not_left_and_one_that_does_not_is(tmp_path):
    (tmp_path / "table").mkdir()
    columns = {"size": [float(row) for row in range(60)], "y": [3.0 * row for row in range(60)]}
    table = of_table(tmp_path / "table", {"train": columns, "eval": columns}, {"size": NumberFeature()}, "y", Regression())
    task = table.problem.task.fitted(tf.constant(columns["y"]))
    problem = table.problem.model_copy(update={"task": task})
    spec = {name: feature for name, feature in table.graph.transformed_feature_spec().items() if name != "label"}
    model = build_model(TrainerConfig(seed=3, model="linear"), task, spec)
    for variable in model.trainable_variables:
        variable.assign(variable + 0.37)  # it begins with zeros
    served = export(model, table.graph, problem, str(tmp_path / "Format-Serving"))
    rows = raw_rows(f"{table.folder}/raw-eval.gz", 100)
    answers = served.predict_examples(tf.constant(rows))["values"].numpy()

    def found(off, may_lose):
        """What is said where the saved model is off by so much of every label, and int8 by its rounding beside."""
        raw = str(tmp_path / "told.gz")
        with tf.io.TFRecordWriter(raw, "GZIP") as file:
            for row, answer in zip(rows, answers, strict=True):
                example = tf.train.Example.FromString(row)
                example.features.feature["y"].float_list.value[:] = [answer + off]
                file.write(example.SerializeToString())
        config = ExportConfig(litert=["int8"], may_lose=may_lose)
        converted.convert(served, model, table.graph, problem, config, {"train": raw, "test": raw}, str(tmp_path))
        return exported.read(str(tmp_path))[0]

    unit = float(answers.std())
    lost = found(unit / 1e6, 0.05)
    assert lost.file is None
    assert lost.failure.startswith("its RMSE is ")
    assert lost.failure.endswith("(`export.may_lose` allows 5%)")
    assert not (tmp_path / "converted/int8.tflite").exists()
    assert found(unit, 0.05).file == "converted/int8.tflite"
    assert (tmp_path / "converted/int8.tflite").exists()


class Lacking(tf.Module):
    """As `Portable`, of a function that has operations that a runtime may lack."""

    output = "probabilities"

    def __init__(self, function):
        super().__init__()
        function(tf.zeros((1, 4, 2)))  # a layer makes its weights
        self.values = [variable.value for variable in getattr(function, "variables", [])]
        self.signature = {"x": tf.TensorSpec((None, 4, 2), tf.float32, "x")}
        self.predict = tf.function(lambda x: {self.output: function(x)}, autograph=False).get_concrete_function(**self.signature)

    def lite(self):
        return self.predict


def hashed(x):
    return tf.cast(tf.strings.to_hash_bucket_fast(tf.strings.as_string(x), 7), tf.float32)


@pytest.mark.parametrize(
    ("make", "named"),
    [(lambda: hashed, "AsString, StringToHashBucketFast"), (lambda: keras.layers.LSTM(3), r"TensorList\w+(, TensorList\w+)*")],
)
def test_what_needs_operations_that_the_runtime_lacks_is_one_line(make, named):
    with pytest.raises(ValueError, match=f"^LiteRT has no operation of its own for {named}$"):
        litert.convert(Lacking(make()), "float32", {})


def test_onnx_without_its_packages_is_refused_before_the_training_with_what_to_install(scaled, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "_NEEDED", ("tf2onnx", "no_such_package"))
    arguments = scaled.fn_args(tmp_path, epochs=1)
    arguments.custom_config |= {"export": '{"onnx": true}'}
    with pytest.raises(ConfigError, match=r"^Expected .*`export.onnx: true`\. Missing: .*no_such_package\. Next: .*uv pip install "):
        run(arguments, fit.train)
    assert not tf.io.gfile.exists(arguments.model_run_dir)


def test_onnx_answers_as_the_saved_model_does(scaled, tmp_path):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    served, model, graph = picture_model(scaled, tmp_path / "Format-Serving")
    portable = Portable(served, model, graph, scaled.problem)
    pixels = scaled.images[:50]
    wanted = portable.predict(pixels=tf.constant(pixels))["probabilities"].numpy()
    np.testing.assert_allclose(onnx.Runner(onnx.convert(portable))({"pixels": pixels}), wanted, atol=1e-5)
