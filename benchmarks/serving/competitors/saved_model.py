"""The pushed model as a careful engineer's service calls it: loaded once, called by its signature. Runs with a competitor's packages."""

import os

import numpy as np
import tensorflow as tf


class SavedModel:
    """The folder that the variable SAVED_MODEL names."""

    def __init__(self) -> None:
        self._model = tf.saved_model.load(os.environ["SAVED_MODEL"])
        self._signature = self._model.signatures["predict_pixels"]
        self(np.zeros((1, 28, 28, 1), np.uint8))  # traced before the first request

    def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Uint8 (N, 28, 28, 1) to classes, int64 (N,), and probabilities, float32 (N, 10)."""
        outputs = self._signature(pixels=tf.constant(pixels))
        return outputs["classes"].numpy(), outputs["probabilities"].numpy()
