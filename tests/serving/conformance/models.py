"""The models that the conformance suite asks about, and their `models.config`.

    python -m tests.serving.conformance.models DIR

writes them below DIR (an absolute path; mount it under the same path into a container), ready for
`tensorflow_model_server --model_config_file=DIR/models.config`. Written by TensorFlow 1's builder unless a model says otherwise.
"""

import argparse
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

v1 = tf.compat.v1
Signature = tuple[Mapping, Mapping, str]  # inputs, outputs, method

PREDICT, CLASSIFY, REGRESS = (f"tensorflow/serving/{name}" for name in ("predict", "classify", "regress"))
VOCABULARY = ("ant", "bee", "cat")
ECHOED = (
    tf.float32,
    tf.float64,
    tf.int8,
    tf.int16,
    tf.int32,
    tf.int64,
    tf.uint8,
    tf.uint16,
    tf.uint32,
    tf.uint64,
    tf.bool,
    tf.string,
    tf.half,
    tf.bfloat16,
    tf.complex64,
    tf.complex128,
)


def write_models(folder: Path) -> Path:
    """Writes every model and `models.config` below `folder` (absolute); returns the config's path."""
    _save(folder / "half_plus_two" / "00000123", _half_plus_two)
    _save(folder / "echo" / "1", _echo)
    _save(folder / "shapes" / "1", _shapes)
    with tempfile.TemporaryDirectory() as scratch:
        _save(folder / "tables" / "1", lambda: _tables(Path(scratch) / "vocabulary.txt"))
    _write_module(folder / "module" / "1")
    _write_defaults(folder / "defaults" / "1")
    for name in ("0", "1", "0000007", "12", "notes", "v99", "1.5", "13-copy"):
        write_version(folder / "numbered", name, {"0": 0, "1": 1, "0000007": 7, "12": 12}.get(name, 99))
    for name in ("newest", "two_newest", "specific"):
        for number in (1, 2, 3):
            write_version(folder / name, number)
    write_version(folder / "changing", 1)
    _write_warmup(write_version(folder / "warm", 1), "warm")
    broken = write_version(folder / "broken_warmup", 1)
    _warmup_file(broken).write_bytes(b"this is no TFRecord file")
    for number in (1, 2):
        write_version(folder / "spare", number)
    write_corrupt_version(folder / "corrupt", 1)
    (folder / "monitoring.config").write_text("prometheus_config { enable: true }\n")
    config = folder / "models.config"
    config.write_text(text_format.MessageToString(models_config(folder)))
    return config


def models_config(folder: Path) -> model_server_config_pb2.ModelServerConfig:
    """What is served. Not listed: `spare`, `corrupt` and `broken_warmup`, which the cases that change the server add."""
    config = model_server_config_pb2.ModelServerConfig()
    names = (
        "half_plus_two",
        "echo",
        "shapes",
        "tables",
        "module",
        "defaults",
        "numbered",
        "newest",
        "two_newest",
        "specific",
        "changing",
        "warm",
    )
    served = {name: add_model(config, folder, name) for name in names}
    served["numbered"].model_version_policy.all.SetInParent()
    served["numbered"].version_labels.update({"stable": 7, "canary": 12})
    served["two_newest"].model_version_policy.latest.num_versions = 2
    served["specific"].model_version_policy.specific.versions.append(2)
    return config


def add_model(config: model_server_config_pb2.ModelServerConfig, folder: Path, name: str) -> model_server_config_pb2.ModelConfig:
    """Lists `folder`/`name` in `config` under its name, and returns the entry."""
    return config.model_config_list.config.add(name=name, base_path=str(folder / name), model_platform="tensorflow")


def write_version(base_path: Path, name: int | str, number: int | None = None) -> Path:
    """A version that answers its number, there whole at once: input `x` (float, [n]), output `version` (int64, [n])."""

    def build() -> tuple[dict[str, Signature], None]:
        x = v1.placeholder(tf.float32, [None], "x")
        version = tf.fill(tf.shape(x), tf.constant(int(name) if number is None else number, tf.int64))
        return {"serving_default": ({"x": x}, {"version": version}, PREDICT)}, None

    copy = base_path / f"copy-of-{name}"
    _save(copy, build)
    return copy.rename(base_path / str(name))


def write_corrupt_version(base_path: Path, name: int | str) -> Path:
    """A version that no server can load."""
    copy = base_path / f"copy-of-{name}"
    copy.mkdir(parents=True)
    (copy / "saved_model.pb").write_bytes(b"\xff\xff this is no SavedModel")
    return copy.rename(base_path / str(name))


def _save(path: Path, build: Callable[[], tuple[dict[str, Signature], tf.Operation | None]]) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        signatures, main_op = build()
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {name: _signature_def(*signature) for name, signature in signatures.items()},
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            main_op=main_op,
        )
        builder.save()


def _signature_def(inputs: Mapping, outputs: Mapping, method: str) -> tf.compat.v1.MetaGraphDef:
    def infos(tensors: Mapping) -> dict:
        return {alias: v1.saved_model.utils.build_tensor_info(tensor) for alias, tensor in tensors.items()}

    return v1.saved_model.signature_def_utils.build_signature_def(infos(inputs), infos(outputs), method)


def _half_plus_two() -> tuple[dict[str, Signature], None]:
    """TensorFlow Serving's own test model: y = x/2 + 2, y2 = x/2 + 3, y3 = x2/2 + 3; tf.Examples for classify and regress."""
    examples, others = v1.placeholder(tf.string, [None], "tf_example"), v1.placeholder(tf.string, [None], "other_example")
    kinds = {"x": tf.io.FixedLenFeature([1], tf.float32), "x2": tf.io.FixedLenFeature([1], tf.float32, [0.0])}
    features, other_features = tf.io.parse_example(examples, kinds), tf.io.parse_example(others, kinds)
    half, two = v1.get_variable("a", initializer=0.5), v1.get_variable("b", initializer=2.0)
    x = tf.identity(features["x"], "x")
    y, y2, y3 = half * x + two, half * x + 3.0, half * features["x2"] + 3.0
    scores = tf.concat([y, y2, y3], 1)
    classes = tf.tile(tf.constant([["y", "y2", "y3"]]), [tf.shape(x)[0], 1])
    return {
        "serving_default": ({"x": x}, {"y": y}, PREDICT),
        "regress_x_to_y": ({"inputs": examples}, {"outputs": y}, REGRESS),
        "regress_x_to_y2": ({"inputs": examples}, {"outputs": y2}, REGRESS),
        "regress_x2_to_y3": ({"inputs": examples}, {"outputs": y3}, REGRESS),
        "regress_flat": ({"inputs": examples}, {"outputs": y[:, 0]}, REGRESS),
        "regress_pairs": ({"inputs": examples}, {"outputs": scores[:, :2]}, REGRESS),
        "regress_other_input": ({"inputs": others}, {"outputs": other_features["x"]}, REGRESS),
        "classify_x_to_y": ({"inputs": examples}, {"scores": y}, CLASSIFY),
        "classify_named": ({"inputs": examples}, {"scores": scores, "classes": classes}, CLASSIFY),
        "classify_only_classes": ({"inputs": examples}, {"classes": classes}, CLASSIFY),
        "classify_misnamed": ({"wrong": examples}, {"scores": y}, CLASSIFY),
        "predict_examples": ({"examples": examples}, {"y": y}, PREDICT),
    }, None


def _echo() -> tuple[dict[str, Signature], None]:
    """One signature a dtype: `x` of any shape comes back as `y`. `text` gives strings plainly and as `_bytes`."""

    def echo(dtype: tf.DType) -> Signature:
        x = v1.placeholder(dtype, None, f"x_{dtype.name}")
        return {"x": x}, {"y": tf.identity(x)}, PREDICT

    text = v1.placeholder(tf.string, None, "text")
    signatures = {dtype.name: echo(dtype) for dtype in ECHOED}
    signatures["serving_default"] = echo(tf.float32)
    signatures["text"] = ({"text": text}, {"text": tf.identity(text), "text_bytes": tf.identity(text)}, PREDICT)
    signatures["bytes"] = ({"text": text}, {"raw_bytes": tf.identity(text)}, PREDICT)
    return signatures, None


def _shapes() -> tuple[dict[str, Signature], None]:
    """Several inputs and outputs, and shapes that a graph may or may not take."""
    a, b = v1.placeholder(tf.float32, [None], "a"), v1.placeholder(tf.float32, [None], "b")
    matrix, anything = v1.placeholder(tf.float32, None, "matrix"), v1.placeholder(tf.float32, None, "anything")
    times = tf.linalg.matmul(tf.reshape(matrix, tf.shape(matrix)), tf.constant([[1.0], [10.0]]))
    declared = v1.saved_model.utils.build_tensor_info(anything)
    declared.tensor_shape.CopyFrom(tf.TensorShape([None, 3]).as_proto())
    total = tf.reduce_sum(anything)
    return {
        "serving_default": ({"a": a, "b": b}, {"sum": a + b, "difference": a - b}, PREDICT),
        "no_inputs": ({}, {"answer": tf.constant([42.0])}, PREDICT),
        "matmul": ({"matrix": matrix}, {"product": times}, PREDICT),
        "declared": ({"x": anything}, {"doubled": 2.0 * anything}, PREDICT),
        "scalar_output": ({"x": anything}, {"total": total}, PREDICT),
        "uneven_outputs": ({"x": anything}, {"once": tf.identity(anything), "twice": tf.concat([anything, anything], 0)}, PREDICT),
    }, None


def _tables(vocabulary: Path) -> tuple[dict[str, Signature], tf.Operation]:
    """A lookup table whose vocabulary is an asset: word -> its number, -1 for the unknown."""
    vocabulary.write_text("".join(f"{word}\n" for word in VOCABULARY), encoding="utf-8")
    lines, whole = tf.lookup.TextFileIndex.LINE_NUMBER, tf.lookup.TextFileIndex.WHOLE_LINE
    table = tf.lookup.StaticHashTable(tf.lookup.TextFileInitializer(str(vocabulary), tf.string, whole, tf.int64, lines), -1)
    words = v1.placeholder(tf.string, [None], "words")
    return {"serving_default": ({"words": words}, {"numbers": table.lookup(words)}, PREDICT)}, v1.tables_initializer()


def _write_module(path: Path) -> None:
    """TensorFlow 2's way: a tf.Module with a variable; `serving_default` parses tf.Examples, `scale` takes numbers.

    `classify` and `regress` have the names that these methods want, and the method_name that TensorFlow 2 gives every signature.
    """

    class Scale(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = tf.Variable(3.0)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
        def scale(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"scaled": self.factor * x}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
        def scale_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
            features = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([], tf.float32)})
            return self.scale(features["x"])

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
        def regress(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"outputs": self.scale_examples(inputs)["scaled"]}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
        def classify(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
            scaled = self.scale_examples(inputs)["scaled"]
            classes = tf.tile(tf.constant([["plus", "minus"]]), [tf.size(scaled), 1])
            return {"classes": classes, "scores": tf.stack([scaled, -scaled], 1)}

    module = Scale()
    signatures = {"serving_default": module.scale_examples, "scale": module.scale}
    tf.saved_model.save(module, str(path), {**signatures, "classify": module.classify, "regress": module.regress})


def _write_defaults(path: Path) -> None:
    """A line: `y` is `x` times `times` plus `plus`, where `times` is 3 and `plus` 0 unless they are sent."""
    three, nothing = tf.constant(3.0), tf.constant([0.0])

    class Line(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec([None], tf.float32, "x"),
                tf.TensorSpec([], tf.float32, "times"),
                tf.TensorSpec([None], tf.float32, "plus"),
            ]
        )
        def line(self, x: tf.Tensor, times: tf.Tensor = three, plus: tf.Tensor = nothing) -> dict[str, tf.Tensor]:
            return {"y": x * times + plus}

    module = Line()
    tf.saved_model.save(module, str(path), {"serving_default": module.line})


def _write_warmup(version: Path, name: str) -> None:
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.model_spec.name = name
    log.predict_log.request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0]))
    with tf.io.TFRecordWriter(str(_warmup_file(version))) as writer:
        writer.write(log.SerializeToString())


def _warmup_file(version: Path) -> Path:
    folder = version / "assets.extra"
    folder.mkdir()
    return folder / "tf_serving_warmup_requests"


def main() -> None:
    """Writes the models into the folder named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.serving.conformance.models", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="is made; must be empty or not exist yet")
    folder = parser.parse_args().folder.absolute()
    if folder.exists() and any(folder.iterdir()):
        parser.error(f"expected a folder that is empty or does not exist, received {folder}; remove it or name another")
    print(f"tensorflow_model_server --model_config_file={write_models(folder)}")  # noqa: T201 - a script's answer


if __name__ == "__main__":
    main()
