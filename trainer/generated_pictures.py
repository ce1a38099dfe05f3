"""Pictures that a training step generates, in a grid to look at: a PNG beside the logs, and the same in TensorBoard."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


class GeneratedPictures(keras.callbacks.Callback):
    """Writes `pictures/epoch-0010.png` after every tenth epoch, or whichever is asked for."""

    def __init__(self, generate: Callable[[], tf.Tensor], columns: int, epochs: int, model_run_dir: str) -> None:
        """What it needs.

        Args:
          generate: gives float pictures (rows * columns, height, width, channels), row by row.
          columns: pictures in a row.
          epochs: after so many each.
          model_run_dir: where the PNGs and TensorBoard's file go.
        """
        super().__init__()
        self._generate, self._columns, self._epochs, self._folder = generate, columns, epochs, model_run_dir

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keras counts epochs from 0."""
        if (epoch + 1) % self._epochs:
            return
        grid = _grid(self._generate(), self._columns)
        tf.io.gfile.makedirs(f"{self._folder}/pictures")
        with tf.io.gfile.GFile(f"{self._folder}/pictures/epoch-{epoch + 1:04d}.png", "wb") as file:
            file.write(tf.io.encode_png(grid).numpy())
        with tf.summary.create_file_writer(f"{self._folder}/generated").as_default(step=epoch):
            tf.summary.image("generated", grid[tf.newaxis])


def _grid(pictures: tf.Tensor, columns: int) -> tf.Tensor:
    """uint8 (rows * height, columns * width, channels), from the darkest to the brightest value of all of them."""
    count, height, width, channels = pictures.shape
    low, high = tf.reduce_min(pictures), tf.reduce_max(pictures)
    rows = tf.reshape((pictures - low) / tf.maximum(high - low, 1e-6), [count // columns, columns, height, width, channels])
    grid = tf.reshape(tf.transpose(rows, [0, 2, 1, 3, 4]), [count // columns * height, columns * width, channels])
    return tf.cast(tf.round(255 * grid), tf.uint8)
