"""The only place where a feature is transformed: TFX Transform runs it over every split, and serving runs the very same graph.

encoded image -> decode -> resize where needed -> uint8 pixels -> normalize -> float32 pixels
"""

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from trainer import features
from trainer.config import PreprocessingConfig


def preprocessing_fn(inputs: dict[str, tf.Tensor | tf.SparseTensor], custom_config: dict[str, Any]) -> dict[str, tf.Tensor]:
    """What Transform calls, found by its import path `trainer.preprocessing.preprocessing_fn`.

    Args:
      inputs: raw features, dense (batch, 1) or (batch,), or sparse with one value a row; see `trainer.features`.
      custom_config: `{"preprocessing": PreprocessingConfig as JSON}`; the digest of the code beside it is there for the cache alone.

    Returns:
      `features.PIXELS` float32 (batch, height, width, channels) and `features.TRANSFORMED_LABEL` int64 (batch,). The pixels
      depend on `features.IMAGE` alone, so serving needs no other feature.
    """
    config = PreprocessingConfig.from_json(custom_config["preprocessing"])
    pixels = decode_images(_one_a_row(inputs[features.IMAGE]), config.image_size, config.channels)
    return {
        features.PIXELS: _normalize(pixels, config),
        features.TRANSFORMED_LABEL: tf.cast(_one_a_row(inputs[features.LABEL]), tf.int64),
    }


def _one_a_row(feature: tf.Tensor | tf.SparseTensor) -> tf.Tensor:
    """(batch,), whatever way the schema made TFX hand the feature over."""
    return tf.reshape(feature.values if isinstance(feature, tf.SparseTensor) else feature, [-1])


def decode_images(encoded: tf.Tensor, size: tuple[int, int], channels: int) -> tf.Tensor:
    """uint8 (batch, *size, channels) of PNG or JPEG files, string (batch,). An image of that size already keeps every bit.

    Raises:
      tf.errors.InvalidArgumentError: when the graph runs on a row that is no PNG or JPEG image.
    """
    start = tf.strings.substr(encoded, 0, 3)
    known = tf.logical_or(tf.equal(start, b"\x89PN"), tf.equal(start, b"\xff\xd8\xff"))
    unknown = tf.boolean_mask(encoded, tf.logical_not(known))
    check = tf.debugging.Assert(
        tf.reduce_all(known),
        [
            f"Expected `{features.IMAGE}` to hold a PNG or JPEG file in every row. Received others, of so many bytes:",
            tf.strings.length(unknown),
        ],
    )

    def decode(file: tf.Tensor) -> tf.Tensor:
        pixels = tf.io.decode_image(file, channels, expand_animations=False)
        same_size = tf.reduce_all(tf.equal(tf.shape(pixels)[:2], size))
        return tf.ensure_shape(tf.cond(same_size, lambda: pixels, lambda: resize(pixels, size)), (*size, channels))

    with tf.control_dependencies([check]):
        encoded = tf.identity(encoded)
    # TensorFlow decodes one file at a time. MapDefun, the map that tf.data vectorizes with, took half the time of tf.map_fn on the digits.
    decode_one = tf.function(decode, input_signature=[tf.TensorSpec((), tf.string)], autograph=False).get_concrete_function()
    (pixels,) = tf.raw_ops.MapDefun(
        arguments=[encoded], captured_inputs=[], output_types=[tf.uint8], output_shapes=[(*size, channels)], f=decode_one
    )
    return pixels


def resize(pixels: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """uint8 (..., *size, channels), bilinear with antialiasing, of uint8 (..., height, width, channels)."""
    return tf.saturate_cast(tf.round(tf.image.resize(pixels, size, antialias=True)), tf.uint8)


def _normalize(pixels: tf.Tensor, config: PreprocessingConfig) -> tf.Tensor:
    """float32 of the same shape; a value depends on nothing but its pixel and channel, which `trainer.export` relies on."""
    values = tf.cast(pixels, tf.float32)
    if config.normalize == "scale":
        return values * (1 / 255)  # not `/ 255`: TensorFlow's optimizer may turn that into this, and every graph must agree to the bit
    by_channel = tf.reshape(values, (-1, config.channels))
    return tf.reshape(tft.scale_to_z_score(by_channel, elementwise=True), tf.shape(values))
