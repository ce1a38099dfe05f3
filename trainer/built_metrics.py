"""Metrics whose variables are there before the first batch."""

import keras
import tensorflow as tf

from trainer.input_pipeline import Batches


def build_metrics(model: keras.Model, strategy: tf.distribute.Strategy, batches: Batches) -> None:
    """Has the metrics make their variables, which Keras leaves to the first batch.

    That must not happen inside an epoch's `tf.function`, and is too late for what an interrupted epoch has counted.
    """
    x, y = tf.nest.map_structure(lambda part: tf.zeros([size or 1 for size in part.shape], part.dtype), batches.dataset.element_spec)
    strategy.run(lambda: model.compute_metrics(x, y, model(x, training=False)))
