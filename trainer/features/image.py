"""Pictures: encoded file -> decode -> as it is seen -> fit to the size where needed -> uint8 pixels -> normalize -> float32 pixels.

A value of the pixels depends on its pixel and channel alone, which `trainer.export` relies on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from trainer.features import as_seen, names
from trainer.features.kind import Kind, RawType, numbered, one_a_row
from trainer.lazy import tf, tft

Side = Annotated[int, Field(ge=1, le=4096)]
Size = Annotated[tuple[Side, Side], Field(strict=False)]  # JSON has lists

Fit = Literal["resize", "pad", "crop"]


class ImageFeature(Kind):
    """A picture, as the bytes of a PNG or JPEG file."""

    raw_type: ClassVar[RawType] = "bytes"

    kind: Literal["image"] = Field("image", description="A picture.")
    size: Size = Field((28, 28), description="Height and width in pixels that the model sees; `fit` says what becomes of other sizes.")
    fit: Fit = Field(
        "resize",
        description="What becomes of a picture of another size: `resize` stretches it where its shape differs, `pad` keeps its shape and "
        "fills the rest with black, `crop` keeps its shape and cuts off what is beside the middle.",
    )
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
                decoded(one_a_row(raw[name], b""), name, feature.size, feature.channels, feature.fit), feature.normalize
            )
            for index, (name, feature) in enumerate(features.items())
        }


def decoded(encoded: tf.Tensor, name: str, size: Size, channels: int, fit: Fit = "resize") -> tf.Tensor:
    """uint8 (batch, *size, channels) of PNG or JPEG files, string (batch,), upright and above white, as `as_seen` says.

    An image of that size already keeps every bit.

    Raises:
      tf.errors.InvalidArgumentError: when the graph runs on a row that is no PNG or JPEG image; it says the feature's `name`.
    """
    start = tf.strings.substr(encoded, 0, 3)
    known = tf.logical_or(tf.equal(start, as_seen.PNG_START), tf.equal(start, as_seen.JPEG_START))
    unknown = tf.boolean_mask(encoded, tf.logical_not(known))
    check = tf.debugging.Assert(
        tf.reduce_all(known),
        [
            f"Expected `{name}` to hold a PNG or JPEG file in every row. Received others, of so many bytes:",
            tf.strings.length(unknown),
        ],
    )

    def plain(file: tf.Tensor) -> tf.Tensor:
        return tf.io.decode_image(file, channels, expand_animations=False)

    def decode(file: tf.Tensor, may_differ: tf.Tensor) -> tf.Tensor:
        is_plain = tf.logical_not(may_differ | as_seen.is_cmyk(file))
        pixels = tf.cond(is_plain, lambda: plain(file), lambda: as_seen.upright(plain(as_seen.opaque(file)), file))
        same_size = tf.reduce_all(tf.equal(tf.shape(pixels)[:2], size))
        return tf.ensure_shape(tf.cond(same_size, lambda: pixels, lambda: fitted(pixels, size, fit)), (*size, channels))

    with tf.control_dependencies([check]):
        encoded = tf.identity(encoded)
    # TensorFlow decodes one file at a time. MapDefun, the map that tf.data vectorizes with, took half the time of tf.map_fn on the digits.
    signature = [tf.TensorSpec((), tf.string), tf.TensorSpec((), tf.bool)]
    decode_one = tf.function(decode, input_signature=signature, autograph=False).get_concrete_function()
    (pixels,) = tf.raw_ops.MapDefun(
        arguments=[encoded, as_seen.may_differ(encoded)],
        captured_inputs=[],
        output_types=[tf.uint8],
        output_shapes=[(*size, channels)],
        f=decode_one,
    )
    return pixels


def fitted(pixels: tf.Tensor, size: Size, fit: Fit) -> tf.Tensor:
    """uint8 (*size, channels), bilinear with antialiasing, of uint8 (height, width, channels); `fit` is `ImageFeature.fit`."""
    if fit == "crop":
        pixels = _middle(pixels, size)
    resize = (
        tf.image.resize_with_pad if fit == "pad" else lambda pixels, *size, antialias: tf.image.resize(pixels, size, antialias=antialias)
    )
    return tf.saturate_cast(tf.round(resize(pixels, *size, antialias=True)), tf.uint8)


def _middle(pixels: tf.Tensor, size: Size) -> tf.Tensor:
    """The largest part in the middle that has the shape of `size`."""
    height, width = tf.unstack(tf.shape(pixels)[:2])
    high = tf.clip_by_value(tf.cast(tf.round(width * size[0] / size[1]), tf.int32), 1, height)
    wide = tf.clip_by_value(tf.cast(tf.round(height * size[1] / size[0]), tf.int32), 1, width)
    return tf.slice(pixels, [(height - high) // 2, (width - wide) // 2, 0], [high, wide, -1])


def normalized(pixels: tf.Tensor, how: str) -> tf.Tensor:
    """float32 of the shape of `pixels`, uint8 (..., channels); `how` is `ImageFeature.normalize`."""
    values = tf.cast(pixels, tf.float32)
    if how == "scale":
        return values * (1 / 255)  # not `/ 255`: TensorFlow's optimizer may turn that into this, and every graph must agree to the bit
    by_channel = tf.reshape(values, (-1, pixels.shape[-1]))
    return tf.reshape(tft.scale_to_z_score(by_channel, elementwise=True), tf.shape(values))
