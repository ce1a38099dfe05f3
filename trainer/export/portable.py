"""The trained model for runtimes without TensorFlow: a function of numbers alone, and what it is given for raw rows.

columns:   transformed features -> probabilities or values; a vocabulary's look-ups stay with the caller, for such runtimes have none
a picture: uint8 pixels of the model's size -> normalized as in the transform graph -> probabilities or values
"""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from trainer.export.lite_form import lite_form
from trainer.export.picture import ServedPicture
from trainer.export.served import Served, raw_specs
from trainer.features import names
from trainer.input_pipeline import only_or_all
from trainer.problem import Problem

Inputs = dict[str, np.ndarray]


class Portable(tf.Module):
    """`predict` is what is converted: inputs by name, (n, ...), to `{task.PREDICTIONS: (n, ...)}`."""

    def __init__(self, served: Served, model: keras.Model, graph: tft.TFTransformOutput, problem: Problem) -> None:
        super().__init__()
        self._values = [variable.value for variable in model.variables]
        self._table = served.normalized if isinstance(served, ServedPicture) else None
        self.output = problem.task.PREDICTIONS
        specs = names.model_inputs(graph.transformed_feature_spec())
        types = {name: tf.uint8 if self._table is not None else spec.dtype for name, spec in specs.items()}
        self.signature = {name: tf.TensorSpec((None, *spec.shape), types[name], name) for name, spec in specs.items()}

        def predict(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
            if self._table is not None:
                inputs = {name: served.normalized_pixels(pixels) for name, pixels in inputs.items()}
            return {self.output: served.predict(only_or_all(inputs))[self.output]}

        self._model, self._predict = model, predict
        self.predict = tf.function(predict, autograph=False).get_concrete_function(**self.signature)

    def lite(self) -> tf.types.experimental.ConcreteFunction:
        """`predict` with the layers in `lite_form`."""
        with lite_form(self._model) as is_other:
            return tf.function(self._predict, autograph=False).get_concrete_function(**self.signature) if is_other else self.predict

    def inputs(self, transformed: dict[str, tf.Tensor]) -> Inputs:
        """What it is given, of transformed features by name; of a picture the pixels that were normalized."""
        arrays = {name: transformed[name].numpy() for name in self.signature}
        if self._table is None:
            return arrays
        table = self._table.numpy()  # (256, channels), rising
        return {name: _levels(pixels, table) for name, pixels in arrays.items()}


class Rows(NamedTuple):
    """Rows of a split."""

    inputs: Inputs  # (n, ...) by name, as `Portable.predict` takes them
    labels: np.ndarray  # (n, ...), transformed, of rows whose label the task knows


def rows_of(portable: Portable, graph: tft.TFTransformOutput, problem: Problem, raw: list[bytes]) -> Rows:
    """The rows, serialized tf.Examples as they were before Transform, whose label the task knows."""
    specs = raw_specs(graph, problem) | {problem.label: graph.raw_feature_spec()[problem.label]}
    transformed = graph.transform_features_layer().call(tf.io.parse_example(raw, specs))
    label = transformed.pop(names.LABEL)
    labels = problem.task.parsed_label(label)
    known = problem.task.is_known(labels)
    kept = {name: tf.boolean_mask(values, known) for name, values in transformed.items()}
    return Rows(portable.inputs(kept), tf.boolean_mask(labels, known).numpy())


def _levels(pixels: np.ndarray, table: np.ndarray) -> np.ndarray:
    channels = [np.searchsorted(table[:, channel], pixels[..., channel]) for channel in range(table.shape[1])]
    return np.stack(channels, axis=-1).astype(np.uint8)
