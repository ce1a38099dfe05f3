"""The SavedModel that a run leaves: its signatures say what the model in this process says."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2

from serving.server.saved_model import SavedModel
from tests.trainer import conftest
from tests.trainer.conftest import ROWS, run_transform
from trainer import export, fit, gradient_tape
from trainer.config import TrainerConfig
from trainer.export.picture import ServedPicture
from trainer.features import image as pictures
from trainer.features import names
from trainer.features.image import ImageFeature
from trainer.models import build_model
from trainer.run import run


def model_for(artifacts, **settings):
    shape = tf.io.FixedLenFeature(artifacts.images.shape[1:], tf.float32)
    return build_model(TrainerConfig(**settings), artifacts.problem.task, {names.PIXELS: shape})


@pytest.fixture(scope="module", params=["scaled", "standardized"])
def served(request, tmp_path_factory):
    """(artifacts, the exported model's signatures, the model in this process)."""
    artifacts = request.getfixturevalue(request.param)
    model = model_for(artifacts, seed=3)
    folder = str(tmp_path_factory.mktemp("served"))
    export.export(model, tft.TFTransformOutput(artifacts.graph_path), artifacts.problem, folder)
    return artifacts, tf.saved_model.load(folder).signatures, model


def inputs(artifacts, rows):
    return {
        "serving_default": {"examples": tf.constant(artifacts.raw[rows], tf.string)},
        "predict_image": {"image": tf.constant(artifacts.pngs[rows], tf.string)},
        "predict_pixels": {"pixels": tf.constant(artifacts.images[rows])},
    }


def expected(artifacts, model, rows):
    """What the model makes of the pixels, normalized here once more, by NumPy."""
    pixels = artifacts.images.astype(np.float64)
    if artifacts.features.by_name[names.IMAGE].normalize == "scale":
        pixels = pixels / 255
    else:
        train = pixels[ROWS["train"]]
        pixels = (pixels - train.mean((0, 1, 2))) / train.std((0, 1, 2))
    return tf.nn.softmax(model(pixels[rows].astype(np.float32), training=False)).numpy()


@pytest.mark.parametrize("signature", ["serving_default", "predict_image", "predict_pixels"])
@pytest.mark.parametrize("rows", [slice(299, 400), slice(5, 6)], ids=["many", "one"])
def test_every_signature_predicts_what_the_model_predicts(served, signature, rows):
    artifacts, signatures, model = served
    received = signatures[signature](**inputs(artifacts, rows)[signature])
    wanted = expected(artifacts, model, rows)
    np.testing.assert_allclose(received["probabilities"], wanted, rtol=1e-4, atol=1e-5)  # float32, in other batches
    np.testing.assert_array_equal(received["classes"], wanted.argmax(axis=1))
    assert (received["probabilities"].dtype, received["classes"].dtype) == (tf.float32, tf.int64)


def test_the_signatures_agree_bit_by_bit(served):
    artifacts, signatures, _ = served
    examples, image, pixels = (signatures[name](**value)["probabilities"] for name, value in inputs(artifacts, slice(0, 64)).items())
    np.testing.assert_array_equal(examples, image)
    np.testing.assert_array_equal(examples, pixels)


@pytest.mark.parametrize("signature", ["serving_default", "predict_image", "predict_pixels"])
def test_no_rows_give_no_predictions(served, signature):
    artifacts, signatures, _ = served
    received = signatures[signature](**inputs(artifacts, slice(0, 0))[signature])
    assert (received["probabilities"].shape, received["classes"].shape) == ((0, 10), (0,))


def test_no_pixels_of_another_size_give_no_predictions(served):
    artifacts, signatures, _ = served
    nothing = np.zeros((0, 20, 30, artifacts.images.shape[-1]), np.uint8)
    assert signatures["predict_pixels"](pixels=tf.constant(nothing))["probabilities"].shape == (0, 10)


def test_pixels_of_another_size_are_resized_as_a_file_of_them_is(served):
    artifacts, signatures, _ = served
    large = np.kron(artifacts.images[:4], np.ones((1, 3, 2, 1), np.uint8))
    files = tf.stack([tf.io.encode_png(image) for image in large])
    np.testing.assert_array_equal(
        signatures["predict_pixels"](pixels=tf.constant(large))["probabilities"], signatures["predict_image"](image=files)["probabilities"]
    )


@pytest.mark.parametrize("fit_to", ["resize", "pad", "crop"])
def test_a_raw_picture_is_fitted_for_serving_as_the_training_rows_are(digits, tmp_path, fit_to):
    images, labels = digits
    wide = np.concatenate([images, 255 - images], axis=2)
    artifacts = run_transform(tmp_path, wide, labels, ImageFeature(size=(8, 8), fit=fit_to))
    model = build_model(TrainerConfig(seed=3), artifacts.problem.task, {names.PIXELS: tf.io.FixedLenFeature((8, 8, 1), tf.float32)})
    served = ServedPicture(model, tft.TFTransformOutput(artifacts.graph_path), artifacts.problem)
    spec, rows = tft.TFTransformOutput(artifacts.graph_path).transformed_feature_spec(), ROWS["eval"]
    files = sorted(tf.io.gfile.glob(artifacts.files("eval")))
    written = tf.io.parse_example([row for file in files for row in tf.data.TFRecordDataset(file, "GZIP").as_numpy_iterator()], spec)
    trained = np.sort(tf.nn.softmax(model(written[names.PIXELS])).numpy(), axis=0)
    np.testing.assert_allclose(
        np.sort(served.predict_image(tf.constant(artifacts.pngs[rows]))["probabilities"].numpy(), axis=0), trained, atol=1e-5
    )
    np.testing.assert_allclose(np.sort(served.predict_pixels(tf.constant(wide[rows]))["probabilities"].numpy(), axis=0), trained, atol=1e-5)


def test_jpeg_files_are_answered(served):
    artifacts, signatures, _ = served
    files = tf.stack([tf.io.encode_jpeg(image, quality=100) for image in artifacts.images[:8]])
    pngs = inputs(artifacts, slice(0, 8))["predict_image"]
    received, wanted = signatures["predict_image"](image=files), signatures["predict_image"](**pngs)
    np.testing.assert_allclose(received["probabilities"], wanted["probabilities"], atol=0.2)


def test_callers_need_no_feature_but_the_image(served):
    artifacts, signatures, _ = served
    bytes_list = tf.train.Feature(bytes_list=tf.train.BytesList(value=[artifacts.pngs[0]]))
    bare = tf.train.Example(features=tf.train.Features(feature={names.IMAGE: bytes_list})).SerializeToString()
    # Each alone: at two places of one batch the same row may be added up in another order, on some processors.
    both = [signatures["serving_default"](examples=tf.constant([row]))["probabilities"].numpy() for row in (bare, artifacts.raw[0])]
    np.testing.assert_array_equal(*both)


def test_the_optimizers_state_is_not_saved(scaled, tmp_path):
    model = model_for(scaled)
    export.export(model, tft.TFTransformOutput(scaled.graph_path), scaled.problem, str(tmp_path))
    saved = sum(np.prod(shape) for _, shape in tf.train.list_variables(str(tmp_path / "variables/variables")))
    weights = model.count_params()
    assert weights < saved < 2 * weights


def test_what_is_no_image_is_refused_in_words(served):
    artifacts, signatures, _ = served
    with pytest.raises(tf.errors.InvalidArgumentError, match="Expected `image/encoded` to hold a PNG or JPEG file"):
        signatures["predict_image"](image=tf.constant([artifacts.pngs[0], b"hello"]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="image/encoded"):
        signatures["serving_default"](examples=tf.constant([tf.train.Example().SerializeToString()]))


def test_a_normalization_that_looks_at_a_pixels_place_is_not_exported(digits, tmp_path, monkeypatch):
    """Pixels that come without a file get theirs from a table of values."""
    normalize, place = pictures.normalized, tf.reshape(tf.range(64.0), (8, 8, 1))
    monkeypatch.setattr(pictures, "normalized", lambda pixels, how: normalize(pixels, how) + place.numpy())
    artifacts = run_transform(tmp_path, *digits, ImageFeature(size=(8, 8)))
    with pytest.raises(tf.errors.InvalidArgumentError, match="by its value and channel alone"):
        ServedPicture(model_for(artifacts), tft.TFTransformOutput(artifacts.graph_path), artifacts.problem)


def test_a_picture_that_some_rows_may_lack_by_the_schema_is_answered_like_any_other(digits, tmp_path, monkeypatch):
    """Without a shape in the schema the raw feature is sparse."""
    schema = schema_pb2.Schema()
    schema.CopyFrom(conftest._SCHEMA)
    schema.feature[0].ClearField("shape")
    monkeypatch.setattr(conftest, "_SCHEMA", schema)
    artifacts = run_transform(tmp_path, *digits, ImageFeature(size=(8, 8)))
    model = model_for(artifacts, seed=3)
    signatures = ServedPicture(model, tft.TFTransformOutput(artifacts.graph_path), artifacts.problem).signatures()
    for name, value in inputs(artifacts, slice(0, 9)).items():
        [tensor] = value.values()
        np.testing.assert_allclose(signatures[name](tensor)["probabilities"], expected(artifacts, model, slice(0, 9)), atol=1e-5)


class Flattened(keras.layers.Layer):
    """Multiplies the lengths of its input's axes, which must be known when the graph is made."""

    def call(self, inputs):
        return keras.ops.reshape(inputs, (-1, math.prod(inputs.shape[1:])))


def test_a_model_may_rely_on_the_size_of_its_pictures_in_every_signature(scaled):
    pixels = keras.Input(scaled.images.shape[1:])
    model = keras.Model(pixels, keras.layers.Dense(10)(Flattened()(pixels)))
    served = ServedPicture(model, tft.TFTransformOutput(scaled.graph_path), scaled.problem)
    assert set(served.signatures()) == {"serving_default", "predict_image", "predict_pixels"}


@pytest.mark.parametrize(("loop", "strategy"), [(fit, "one_device"), (gradient_tape, "mirrored")], ids=["fit", "gradient_tape"])
def test_run_fn_trains_and_exports_the_best_weights(scaled, tmp_path, loop, strategy):
    history = run(scaled.fn_args(tmp_path, epochs=2, strategy=strategy, learning_rate=0.01), loop.train).history
    signature = tf.saved_model.load(str(tmp_path / "serving_model")).signatures["serving_default"]
    classes = signature(examples=tf.constant(scaled.raw[ROWS["eval"]]))["classes"].numpy()
    best = int(np.argmin(history["val_loss"]))
    np.testing.assert_allclose((classes == scaled.labels[ROWS["eval"]]).mean(), history["val_accuracy"][best], atol=1e-6)


def test_a_session_restores_what_the_signatures_read_as_tensorflow_serving_does(scaled, tmp_path):
    """`tf.saved_model.load` rebuilds the objects, and so hides variables that a session's restore does not fill."""
    model = model_for(scaled, seed=3)
    export.export(model, tft.TFTransformOutput(scaled.graph_path), scaled.problem, str(tmp_path))
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta_graph = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path))
        signature = meta_graph.signature_def["predict_image"]
        received = session.run(signature.outputs["probabilities"].name, {signature.inputs["image"].name: scaled.pngs[:9]})
    np.testing.assert_allclose(received, expected(scaled, model, slice(0, 9)), atol=1e-5)


def test_the_export_says_that_its_rows_are_independent_where_the_server_looks(scaled, tmp_path):
    model = model_for(scaled, seed=3)
    export.export(model, tft.TFTransformOutput(scaled.graph_path), scaled.problem, str(tmp_path))
    assert (tmp_path / export.ROWS_INDEPENDENT).is_file()
    served = SavedModel(tmp_path)
    step = served.step(served.signature("predict_pixels"), {"pixels": scaled.images[:2]})
    assert (step.shares_rows, step.is_marked) == (True, True)
    served.close()
