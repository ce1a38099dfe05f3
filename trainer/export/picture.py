"""The signatures of a model of one picture, beside that of tf.Examples.

predict_image:   PNG or JPEG -> transform graph -> model
predict_pixels:  uint8 pixels of the model's size -> what the transform graph makes of each value -> model
                 of another size -> as files, through the transform graph, which fits them to the size -> model
"""

import keras
import tensorflow as tf
import tensorflow_transform as tft

from trainer.export.served import Prediction, Served
from trainer.features import names
from trainer.features.image import decoded
from trainer.features.kind import one_a_row
from trainer.problem import Problem

SIGNATURE = "predict_image"
_LEVELS = 256  # values of a uint8 pixel


def is_picture(problem: Problem) -> bool:
    """Whether a picture is all that the model is given."""
    return list(problem.features.values()) == ["image"]


class ServedPicture(Served):
    """See `Served`."""

    def __init__(self, model: keras.Model, graph: tft.TFTransformOutput, problem: Problem) -> None:
        super().__init__(model, graph, problem)
        [self._image] = problem.features
        *self._size, self._channels = graph.transformed_feature_spec()[names.PIXELS].shape
        self.normalized = tf.Variable(self._normalize_every_value(), trainable=False, name="normalized")

    @tf.function(autograph=False)
    def predict_image(self, image: tf.Tensor) -> Prediction:
        """`image`: PNG or JPEG files as they are, EXIF and transparency included, string (n,)."""
        return self.answer({self._image: self._as_raw_feature(image)})

    @tf.function(autograph=False)
    def predict_pixels(self, pixels: tf.Tensor) -> Prediction:
        """`pixels`: 0 to 255, uint8 (n, height, width, channels), of any height and width."""
        same_size = tf.reduce_all(tf.equal(tf.shape(pixels)[1:3], self._size))
        taken = tf.cond(same_size, lambda: self.normalized_pixels(pixels), lambda: self._fitted_pixels(pixels))
        return self.predict(tf.ensure_shape(taken, (None, *self._size, self._channels)))

    def requests(self, examples: list[bytes]) -> dict[str, dict[str, tf.Tensor]]:
        """See `Served`."""
        files = one_a_row(tf.io.parse_example(examples, self._raw_specs)[self._image], b"")
        pixels = decoded(files, self._image, tuple(self._size), self._channels)
        return super().requests(examples) | {SIGNATURE: {"image": files}, "predict_pixels": {"pixels": pixels}}

    def signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """See `Served`."""
        return super().signatures() | {
            SIGNATURE: self.predict_image.get_concrete_function(tf.TensorSpec((None,), tf.string, "image")),
            "predict_pixels": self.predict_pixels.get_concrete_function(
                tf.TensorSpec((None, None, None, self._channels), tf.uint8, "pixels")
            ),
        }

    def normalized_pixels(self, pixels: tf.Tensor) -> tf.Tensor:
        """float32 (n, height, width, channels) of uint8 pixels of the model's size."""
        values = tf.cast(pixels, tf.int32) * self._channels + tf.range(self._channels)
        return tf.gather(tf.reshape(self.normalized, [-1]), values)

    def _fitted_pixels(self, pixels: tf.Tensor) -> tf.Tensor:
        files = tf.io.encode_png(pixels, compression=0)
        return self.transformed({self._image: self._as_raw_feature(files)})[names.PIXELS]

    def _as_raw_feature(self, image: tf.Tensor) -> tf.Tensor | tf.SparseTensor:
        """(n,) in the shape of the raw feature, which the data's schema decides: (n,), (n, 1), or sparse."""
        spec = self._raw_specs[self._image]
        if isinstance(spec, tf.io.FixedLenFeature):
            return tf.reshape(image, [-1, *spec.shape])
        rows = tf.range(tf.size(image, tf.int64))
        return tf.SparseTensor(tf.stack([rows, tf.zeros_like(rows)], axis=1), image, tf.stack([tf.size(image, tf.int64), 1]))

    def _normalize_every_value(self) -> tf.Tensor:
        """float32 (256, channels): what the transform graph, mean and variance included, makes of each value of a pixel.

        So the normalization is written once, in `trainer.features.image`, and pixels that come without a file get the very same bits.
        """
        height, width = self._size
        images = -(-2 * _LEVELS // (height * width))  # each value twice, up and down, so that it stands at two places
        order = tf.range(images * height * width)
        up = order % _LEVELS
        values = tf.reshape(tf.where(order < tf.size(order) // 2, up, _LEVELS - 1 - up), (images, height, width))
        every_channel = tf.tile(tf.cast(values, tf.uint8)[..., tf.newaxis], (1, 1, 1, self._channels))
        files = tf.stack([tf.io.encode_png(image) for image in every_channel])
        pixels = self.transformed({self._image: self._as_raw_feature(files)})[names.PIXELS]
        table = tf.reshape(pixels, (-1, self._channels))[:_LEVELS]
        message = "Expected `preprocessing_fn` to normalize a pixel by its value and channel alone. Received one that looks at its place."
        tf.debugging.assert_equal(pixels, tf.gather(table, values), message)
        return table
