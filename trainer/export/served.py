"""What every saved model has: the transform graph and the trained one, behind a signature that takes tf.Examples."""

import functools
from collections.abc import Mapping

import keras
import tensorflow as tf
import tensorflow_transform as tft

from trainer.features import MISSING_VALUES, names
from trainer.input_pipeline import only_or_all
from trainer.problem import Problem
from trainer.tasks.predicted import predicted

Raw = dict[str, tf.Tensor | tf.SparseTensor]
Prediction = dict[str, tf.Tensor]


class Served(tf.Module):
    """What is saved. Its signatures give what the task serves, (n, ...) by name."""

    def __init__(self, model: keras.Model, graph: tft.TFTransformOutput, problem: Problem) -> None:
        super().__init__()
        # The values themselves, not the Keras model: saving one tracks copies of its variables, and TensorFlow Serving, which restores
        # through a session, would fill the copies. It also leaves out the optimizer, whose state is not for serving.
        self._values = [variable.value for variable in model.variables]
        self._logits = functools.partial(model, training=False)  # not tracked
        self._transform = graph.transform_features_layer()
        self._task = problem.task
        raw = graph.raw_feature_spec()
        self._kinds = dict(problem.features)
        self._raw_specs = raw_specs(graph, problem)
        self._label, self._label_spec, self._label_signatures = problem.label, raw[problem.label], problem.label_signatures
        if problem.task.names:  # not the transform graph, which would want the features too, and decode every picture
            classes = tf.lookup.KeyValueTensorInitializer(problem.task.names, tf.range(len(problem.task.names), dtype=tf.int64))
            self._numbers = tf.lookup.StaticHashTable(classes, -1)
        specs = names.model_inputs(graph.transformed_feature_spec())
        self._inputs = list(specs)
        self.predict_transformed = tf.function(self._predict_transformed, autograph=False, input_signature=[_of_batches(specs)])

    @property
    def raw_names(self) -> list[str]:
        """The problem's features."""
        return list(self._raw_specs)

    @tf.function(autograph=False)
    def predict_examples(self, examples: tf.Tensor) -> Prediction:
        """`examples`: serialized tf.Examples, string (n,), with the problem's features; others are ignored."""
        return self.answer(tf.io.parse_example(examples, self._raw_specs))

    @tf.function(autograph=False)
    def transform_label(self, examples: tf.Tensor) -> Prediction:
        """`examples`: as above, with the label; gives it as the task compares it, for whoever evaluates the model."""
        raw = tf.io.parse_example(examples, {self._label: self._label_spec})
        return {names.LABEL: self._task.evaluated_label(raw[self._label], self._numbers.lookup)}

    def answer(self, raw: Raw) -> Prediction:
        """What the task serves for raw features in the shapes of the data's schema."""
        return self.predict(only_or_all(self.transformed(raw)))

    def predict(self, inputs: tf.Tensor | dict[str, tf.Tensor]) -> Prediction:
        """What the task serves for the model's inputs; the members of an ensemble are averaged."""
        return self._task.served(predicted(self._task, self._logits(inputs)))

    def transformed(self, raw: Raw) -> dict[str, tf.Tensor]:
        """What the model is given for raw features."""
        # `call`, for `__call__` would have tf_keras trace the layer once more at saving, which takes seconds.
        features = self._transform.call(raw)
        return {name: features[name] for name in self._inputs}

    def _predict_transformed(self, features: dict[str, tf.Tensor]) -> tf.Tensor:
        """`task.activated` outputs (n, outputs) of transformed features, (n, ...) by name: for whoever learns from this model.

        No signature, and so not served.
        """
        return predicted(self._task, self._logits(only_or_all(features)))

    def requests(self, examples: list[bytes]) -> dict[str, dict[str, tf.Tensor]]:
        """What a caller sends of these rows, serialized tf.Examples, to each signature that is for callers: inputs by name."""
        return {"serving_default": {"examples": tf.constant(examples, tf.string)}}

    def signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """The methods under the names by which callers ask for them."""
        examples = tf.TensorSpec((None,), tf.string, "examples")
        served = {"serving_default": self.predict_examples.get_concrete_function(examples)}
        return served | {name: self.transform_label.get_concrete_function(examples) for name in self._label_signatures}


def raw_specs(graph: tft.TFTransformOutput, problem: Problem) -> dict[str, tf.io.FixedLenFeature | tf.io.VarLenFeature]:
    """How to parse the problem's features out of a raw tf.Example, by name."""
    raw = graph.raw_feature_spec()
    return {name: _with_default(raw[name], kind) for name, kind in problem.features.items()}


def _with_default(spec: tf.io.FixedLenFeature | tf.io.VarLenFeature, kind: str) -> tf.io.FixedLenFeature | tf.io.VarLenFeature:
    """Lets a caller leave out a value that every row of the train split had, where the kind knows what missing is."""
    missing = MISSING_VALUES.get(kind)
    if missing is None or not isinstance(spec, tf.io.FixedLenFeature):
        return spec
    return tf.io.FixedLenFeature(spec.shape, spec.dtype, tf.fill(spec.shape, tf.constant(missing, spec.dtype)))


def _of_batches(specs: Mapping[str, tf.io.FixedLenFeature]) -> dict[str, tf.TensorSpec]:
    """Of a batch's features by name; texts may be cut to the longest one."""
    texts = [name for own in names.text_inputs(specs).values() for name in own]
    return {name: tf.TensorSpec((None, *([None] if name in texts else spec.shape)), spec.dtype, name) for name, spec in specs.items()}
