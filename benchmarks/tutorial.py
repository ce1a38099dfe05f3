"""The reference of a training epoch: the beginners' tutorial, NumPy arrays through tf.data into `model.fit`.

`python -m benchmarks.tutorial IDX_FOLDER EPOCHS` prints {"examples_per_second": [...]}, one figure an epoch.
"""

import json
import sys
import time

import keras
import numpy as np
import tensorflow as tf

from components.example_gen.readers import idx

BATCH = 64


class Clock(keras.callbacks.Callback):
    """Examples a second of each epoch."""

    def __init__(self, examples: int) -> None:
        super().__init__()
        self.examples_per_second: list[float] = []
        self._examples, self._started = examples, 0.0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Starts the clock."""
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Stops it; there is no validation in between."""
        self.examples_per_second.append(self._examples / (time.perf_counter() - self._started))


def run(folder: str, epochs: int) -> list[float]:
    """Trains the tutorial's model and returns the examples a second of each epoch."""
    chunks = list(idx.open_images(folder)[0].chunks(100_000))
    images, labels = (np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in ("images", "labels"))
    batches = (
        tf.data.Dataset.from_tensor_slices((images, labels))
        .map(lambda image, label: (tf.cast(image, tf.float32) / 255.0, label), num_parallel_calls=tf.data.AUTOTUNE)
        .cache()
        .shuffle(len(images))
        .batch(BATCH)
        .prefetch(tf.data.AUTOTUNE)
    )
    model = keras.Sequential(
        [
            keras.Input((28, 28)),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(10),
        ]
    )
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    clock = Clock(len(images))
    model.fit(batches, epochs=epochs, callbacks=[clock], verbose=0)
    return clock.examples_per_second


if __name__ == "__main__":
    print(json.dumps({"examples_per_second": run(sys.argv[1], int(sys.argv[2]))}))
