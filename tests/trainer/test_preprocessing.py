"""What Transform makes of raw images."""

import io

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from PIL import Image

from tests.trainer.conftest import ROWS
from trainer import preprocessing
from trainer.features import names
from trainer.features.image import decoded


def transformed(artifacts, split):
    spec = tft.TFTransformOutput(artifacts.graph_path).transformed_feature_spec()
    files = sorted(tf.io.gfile.glob(artifacts.files(split)))
    rows = [row for file in files for row in tf.data.TFRecordDataset(file, "GZIP").as_numpy_iterator()]
    parsed = tf.io.parse_example(rows, spec)
    return parsed[names.PIXELS].numpy(), parsed[names.LABEL].numpy()


def in_one_order(pixels, labels):
    order = np.lexsort([*pixels.reshape(len(pixels), -1).T, labels])
    return pixels[order], labels[order]


@pytest.mark.parametrize("split", ROWS)
def test_scale_divides_every_pixel_by_255_and_keeps_every_row_and_label(scaled, split):
    pixels, labels = in_one_order(*transformed(scaled, split))
    images, wanted_labels = in_one_order(scaled.images[ROWS[split]], scaled.labels[ROWS[split]])
    np.testing.assert_allclose(pixels, images / 255, rtol=2e-7)
    np.testing.assert_array_equal(labels, wanted_labels)
    assert (pixels.min(), pixels.max()) == (0.0, 1.0)


@pytest.mark.parametrize("split", ROWS)
def test_standardize_uses_each_channels_mean_and_deviation_of_the_training_split_alone(standardized, split):
    train = standardized.images[ROWS["train"]].astype(np.float64)
    expected = (standardized.images[ROWS[split]] - train.mean((0, 1, 2))) / train.std((0, 1, 2))
    received, _ = transformed(standardized, split)
    np.testing.assert_allclose(np.sort(received, axis=0), np.sort(expected, axis=0), atol=1e-4)


def test_the_transformed_features_have_static_shapes(standardized):
    spec = tft.TFTransformOutput(standardized.graph_path).transformed_feature_spec()
    assert spec[names.PIXELS].shape == [8, 8, 3]
    assert spec[names.PIXELS].dtype == tf.float32
    assert spec[names.LABEL].shape == []
    assert spec[names.LABEL].dtype == tf.int64


def test_an_image_of_the_models_size_keeps_every_bit(scaled):
    np.testing.assert_array_equal(decoded(tf.constant(scaled.pngs), names.IMAGE, (8, 8), 1), scaled.images)


def test_images_of_other_sizes_are_resized_each_on_its_own():
    halves = np.zeros((20, 12, 1), np.uint8)
    halves[:, 6:] = 255
    small = np.full((3, 5, 1), 77, np.uint8)
    files = tf.stack([tf.io.encode_png(halves), tf.io.encode_png(small)])
    first, second = decoded(files, names.IMAGE, (8, 8), 1).numpy()
    assert (first[:, :3] == 0).all()
    assert (first[:, 5:] == 255).all()
    assert (second == 77).all()


@pytest.mark.parametrize("size", [(8, 8), (8, 16), (24, 8)])
def test_a_picture_of_another_shape_is_stretched_padded_with_black_or_cut_to_its_middle(size):
    wide = np.full((20, 80, 1), 255, np.uint8)
    wide[:, :20] = 100  # the left quarter
    wide[:, 40:] = 200
    file = tf.constant([tf.io.encode_png(wide).numpy()])
    stretched, padded, cut = (decoded(file, names.IMAGE, size, 1, fit)[0, ..., 0].numpy() for fit in ("resize", "pad", "crop"))
    middle = size[0] // 2
    assert (stretched[:, 0] == 100).all()
    assert (stretched[:, -1] == 200).all()
    assert (padded[middle, 0], padded[middle, -1]) == (100, 200)
    assert (padded[0] == 0).all()
    assert (padded[-1] == 0).all()
    black = (padded == 0).all(axis=1).sum()
    assert black == pytest.approx(size[0] - size[1] / 4, abs=1)
    assert 0 not in cut
    assert 100 not in cut  # the left quarter is not seen
    assert (cut[:, 0] == 255).all()
    assert (cut[:, -1] == 200).all()


@pytest.mark.parametrize("fit", ["resize", "pad", "crop"])
def test_a_picture_of_the_wanted_shape_is_the_same_however_it_is_fitted(fit):
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    file = tf.constant([tf.io.encode_png(image).numpy()])
    np.testing.assert_array_equal(decoded(file, names.IMAGE, (16, 24), 3, fit), decoded(file, names.IMAGE, (16, 24), 3))


def test_jpeg_is_accepted_beside_png_and_grey_becomes_rgb():
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8), 120, np.uint8)).save(file, "JPEG")
    png = tf.io.encode_png(np.full((8, 8, 1), 120, np.uint8)).numpy()
    pixels = decoded(tf.constant([file.getvalue(), png]), names.IMAGE, (8, 8), 3).numpy()
    np.testing.assert_allclose(pixels, np.full((2, 8, 8, 3), 120), atol=1)


def test_sparse_and_dense_features_give_the_same(scaled):
    custom_config = scaled.custom_config()
    image, label = tf.constant(scaled.pngs[:3])[:, tf.newaxis], tf.constant(scaled.labels[:3])[:, tf.newaxis]
    dense = preprocessing.preprocessing_fn({names.IMAGE: image, names.IMAGE_LABEL: label}, custom_config)
    sparse = preprocessing.preprocessing_fn(
        {names.IMAGE: tf.sparse.from_dense(image), names.IMAGE_LABEL: tf.SparseTensor([[0, 0], [1, 0], [2, 0]], label[:, 0], [3, 1])},
        custom_config,
    )
    for name in dense:
        np.testing.assert_array_equal(dense[name], sparse[name])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (b"GIF89a", r"Expected `image/encoded` to hold a PNG or JPEG file in every row"),
        (b"", r"Expected `image/encoded` to hold a PNG or JPEG file in every row"),
        (b"\x89PNG\r\n\x1a\n", r"(?i)png"),
    ],
)
def test_a_row_that_is_no_image_is_refused_in_words(scaled, row, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        decoded(tf.constant([scaled.pngs[0], row]), names.IMAGE, (8, 8), 1)
