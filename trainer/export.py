"""A trained model and the transform graph -> one SavedModel that takes raw features, with its three signatures.

serving_default: tf.Examples -> transform graph -> model
predict_image:   PNG or JPEG -> transform graph -> model
predict_pixels:  uint8 pixels -> resize where needed -> what the transform graph makes of each value -> model
"""

import functools
import os

import keras
import tensorflow as tf
import tensorflow_transform as tft

from trainer import features, preprocessing

_LEVELS = 256  # values of a uint8 pixel
# Read by `serving.server.saved_model`, which batches the requests of a model only where it has this file. It is part of the model:
# whoever copies the folder copies it, and the pusher's digest covers it.
ROWS_INDEPENDENT = "assets.extra/tapeline.rows_independent"
Prediction = dict[str, tf.Tensor]


class ServedModel(tf.Module):
    """What is saved. Each method but `__init__` is a signature and gives `probabilities` float32 (n, classes), `classes` int64 (n,)."""

    def __init__(self, model: keras.Model, graph: tft.TFTransformOutput) -> None:
        super().__init__()
        # The values themselves, not the Keras model: saving one tracks copies of its variables, and TensorFlow Serving, which restores
        # through a session, would fill the copies. It also leaves out the optimizer, whose state is not for serving.
        self._values = [variable.value for variable in model.variables]
        self._logits = functools.partial(model, training=False)  # not tracked
        self._transform = graph.transform_features_layer()
        self._image_spec = graph.raw_feature_spec()[features.IMAGE]
        self._size, self._channels = model.input_shape[1:3], model.input_shape[3]
        self._normalized = tf.Variable(self._normalize_every_value(), trainable=False, name="normalized")

    @tf.function(autograph=False)
    def predict_examples(self, examples: tf.Tensor) -> Prediction:
        """`examples`: serialized tf.Examples, string (n,), with the feature `features.IMAGE`; others are ignored."""
        return self._predict(self._pixels(tf.io.parse_example(examples, {features.IMAGE: self._image_spec})[features.IMAGE]))

    @tf.function(autograph=False)
    def predict_image(self, image: tf.Tensor) -> Prediction:
        """`image`: PNG or JPEG files, string (n,)."""
        return self._predict(self._pixels(self._as_raw_feature(image)))

    @tf.function(autograph=False)
    def predict_pixels(self, pixels: tf.Tensor) -> Prediction:
        """`pixels`: 0 to 255, uint8 (n, height, width, channels), of any height and width."""
        same_size = tf.reduce_all(tf.equal(tf.shape(pixels)[1:3], self._size))
        pixels = tf.cond(same_size, lambda: pixels, lambda: preprocessing.resize(pixels, self._size))
        pixels = tf.ensure_shape(pixels, (None, *self._size, self._channels))
        values = tf.cast(pixels, tf.int32) * self._channels + tf.range(self._channels)
        return self._predict(tf.gather(tf.reshape(self._normalized, [-1]), values))

    def signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """The methods under the names by which callers ask for them."""
        return {
            "serving_default": self.predict_examples.get_concrete_function(tf.TensorSpec((None,), tf.string, "examples")),
            "predict_image": self.predict_image.get_concrete_function(tf.TensorSpec((None,), tf.string, "image")),
            "predict_pixels": self.predict_pixels.get_concrete_function(
                tf.TensorSpec((None, None, None, self._channels), tf.uint8, "pixels")
            ),
        }

    def _predict(self, pixels: tf.Tensor) -> Prediction:
        probabilities = tf.nn.softmax(self._logits(pixels))
        return {"probabilities": probabilities, "classes": tf.argmax(probabilities, axis=-1)}

    def _pixels(self, image_feature: tf.Tensor | tf.SparseTensor) -> tf.Tensor:
        # `call`, for `__call__` would have tf_keras trace the layer once more at saving, which takes seconds.
        return self._transform.call({features.IMAGE: image_feature})[features.PIXELS]

    def _as_raw_feature(self, image: tf.Tensor) -> tf.Tensor | tf.SparseTensor:
        """(n,) in the shape of the raw feature, which the data's schema decides: (n,), (n, 1), or sparse."""
        if isinstance(self._image_spec, tf.io.FixedLenFeature):
            return tf.reshape(image, [-1, *self._image_spec.shape])
        rows = tf.range(tf.size(image, tf.int64))
        return tf.SparseTensor(tf.stack([rows, tf.zeros_like(rows)], axis=1), image, tf.stack([tf.size(image, tf.int64), 1]))

    def _normalize_every_value(self) -> tf.Tensor:
        """float32 (256, channels): what the transform graph, mean and variance included, makes of each value of a pixel.

        So the normalization is written once, in `trainer.preprocessing`, and pixels that come without a file get the very same bits.
        """
        height, width = self._size
        images = -(-2 * _LEVELS // (height * width))  # each value twice, up and down, so that it stands at two places
        order = tf.range(images * height * width)
        up = order % _LEVELS
        values = tf.reshape(tf.where(order < tf.size(order) // 2, up, _LEVELS - 1 - up), (images, height, width))
        every_channel = tf.tile(tf.cast(values, tf.uint8)[..., tf.newaxis], (1, 1, 1, self._channels))
        pixels = self._pixels(self._as_raw_feature(tf.stack([tf.io.encode_png(image) for image in every_channel])))
        table = tf.reshape(pixels, (-1, self._channels))[:_LEVELS]
        message = "Expected `preprocessing_fn` to normalize a pixel by its value and channel alone. Received one that looks at its place."
        tf.debugging.assert_equal(pixels, tf.gather(table, values), message)
        return table


def export(model: keras.Model, graph: tft.TFTransformOutput, serving_model_dir: str) -> None:
    """Saves the model, with the transform graph inside, in TensorFlow Serving's format, marked as one whose rows are independent.

    Args:
      model: logits from normalized pixels.
      graph: Transform's output.
      serving_model_dir: the folder that will hold `saved_model.pb`.
    """
    served = ServedModel(model, graph)
    tf.saved_model.save(served, serving_model_dir, signatures=served.signatures())
    tf.io.gfile.makedirs(os.path.join(serving_model_dir, "assets.extra"))
    with tf.io.gfile.GFile(os.path.join(serving_model_dir, ROWS_INDEPENDENT), "w") as file:
        file.write("Each row of an output depends on the same row of the inputs alone.\n")
