"""Pictures: encoded file -> decode -> resize where needed -> uint8 pixels -> normalize -> float32 pixels.

A value of the pixels depends on its pixel and channel alone, which `trainer.export` relies on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from trainer.features import names
from trainer.features.kind import Kind, RawType, numbered, one_a_row
from trainer.lazy import tf, tft

Side = Annotated[int, Field(ge=1, le=4096)]
Size = Annotated[tuple[Side, Side], Field(strict=False)]  # JSON has lists


class ImageFeature(Kind):
    """A picture, as the bytes of a PNG or JPEG file."""

    raw_type: ClassVar[RawType] = "bytes"

    kind: Literal["image"] = Field("image", description="A picture.")
    size: Size = Field((28, 28), description="Height and width in pixels that the model sees; other sizes are resized.")
    channels: Literal[1, 3] = Field(1, description="1 for grey, 3 for RGB.")
    normalize: Literal["scale", "standardize"] = Field(
        "scale",
        description="`scale` maps 0..255 to 0..1; `standardize` subtracts the training split's mean and divides by its standard deviation.",
    )

    @property
    def learns_from_data(self) -> bool:
        """Only a mean and a deviation are learnt."""
        return self.normalize == "standardize"

    @classmethod
    def transform(cls, features: Mapping[str, Self], raw: Mapping[str, tf.Tensor | tf.SparseTensor]) -> dict[str, tf.Tensor]:
        """float32 (batch, height, width, channels) for each picture."""
        return {
            numbered(names.PIXELS, index): normalized(
                decoded(one_a_row(raw[name], b""), name, feature.size, feature.channels), feature.normalize
            )
            for index, (name, feature) in enumerate(features.items())
        }


def decoded(encoded: tf.Tensor, name: str, size: Size, channels: int) -> tf.Tensor:
    """uint8 (batch, *size, channels) of PNG or JPEG files, string (batch,). An image of that size already keeps every bit.

    Raises:
      tf.errors.InvalidArgumentError: when the graph runs on a row that is no PNG or JPEG image; it says the feature's `name`.
    """
    start = tf.strings.substr(encoded, 0, 3)
    known = tf.logical_or(tf.equal(start, b"\x89PN"), tf.equal(start, b"\xff\xd8\xff"))
    unknown = tf.boolean_mask(encoded, tf.logical_not(known))
    check = tf.debugging.Assert(
        tf.reduce_all(known),
        [
            f"Expected `{name}` to hold a PNG or JPEG file in every row. Received others, of so many bytes:",
            tf.strings.length(unknown),
        ],
    )

    def decode(file: tf.Tensor) -> tf.Tensor:
        pixels = tf.io.decode_image(file, channels, expand_animations=False)
        same_size = tf.reduce_all(tf.equal(tf.shape(pixels)[:2], size))
        return tf.ensure_shape(tf.cond(same_size, lambda: pixels, lambda: resized(pixels, size)), (*size, channels))

    with tf.control_dependencies([check]):
        encoded = tf.identity(encoded)
    # TensorFlow decodes one file at a time. MapDefun, the map that tf.data vectorizes with, took half the time of tf.map_fn on the digits.
    decode_one = tf.function(decode, input_signature=[tf.TensorSpec((), tf.string)], autograph=False).get_concrete_function()
    (pixels,) = tf.raw_ops.MapDefun(
        arguments=[encoded], captured_inputs=[], output_types=[tf.uint8], output_shapes=[(*size, channels)], f=decode_one
    )
    return pixels


def resized(pixels: tf.Tensor, size: Size) -> tf.Tensor:
    """uint8 (..., *size, channels), bilinear with antialiasing, of uint8 (..., height, width, channels)."""
    return tf.saturate_cast(tf.round(tf.image.resize(pixels, size, antialias=True)), tf.uint8)


def normalized(pixels: tf.Tensor, how: str) -> tf.Tensor:
    """float32 of the shape of `pixels`, uint8 (..., channels); `how` is `ImageFeature.normalize`."""
    values = tf.cast(pixels, tf.float32)
    if how == "scale":
        return values * (1 / 255)  # not `/ 255`: TensorFlow's optimizer may turn that into this, and every graph must agree to the bit
    by_channel = tf.reshape(values, (-1, pixels.shape[-1]))
    return tf.reshape(tft.scale_to_z_score(by_channel, elementwise=True), tf.shape(values))
