"""The signatures of a model of columns, beside that of tf.Examples.

predict_columns:     a tensor a column, by the user's own names -> transform graph -> model
classify, regress:   tf.Examples -> what TensorFlow Serving's Classify and Regress answer

transform_examples, no signature and so not served: tf.Examples -> transform graph, for whoever measures the model
"""

import keyword
import os
import re
from collections.abc import Callable, Iterable

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from trainer.export.served import Prediction, Raw, Served
from trainer.features import LISTS, MISSING_VALUES, RAW_DTYPES
from trainer.features.kind import one_a_row
from trainer.features.series import padded_in_front

SIGNATURE = "predict_columns"
_ARGUMENT = re.compile("[A-Za-z][A-Za-z0-9_]*")  # what TensorFlow takes as the name of an argument


class ServedColumns(Served):
    """See `Served`."""

    @tf.function(autograph=False)
    def predict_columns(self, **columns: tf.Tensor) -> Prediction:
        """A tensor (n,) a column: float32 numbers, string categories and texts, int64 times; NaN, empty and `time.MISSING` are missing.

        Of a series float32 (n, m), the newest last; a shorter one has NaN in front.
        """
        names = {argument: name for name, argument in _arguments(self._raw_specs).items()}
        return self.answer({names[argument]: self._as_raw(names[argument], values) for argument, values in columns.items()})

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string)])
    def transform_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """`examples`: as for `predict_examples`; gives what the model is given of them, (n, ...) by transformed name."""
        return self.transformed(tf.io.parse_example(examples, self._raw_specs))

    @tf.function(autograph=False)
    def classify(self, inputs: tf.Tensor) -> Prediction:
        """`inputs`: serialized tf.Examples, string (n,); gives `classes` string (n, classes) and their `scores` float32 (n, classes)."""
        answer = self.predict_examples(inputs)
        return {"classes": answer["class_names"], "scores": answer["probabilities"]}

    @tf.function(autograph=False)
    def regress(self, inputs: tf.Tensor) -> Prediction:
        """`inputs`: serialized tf.Examples, string (n,); gives `outputs` float32 (n,)."""
        return {"outputs": self.predict_examples(inputs)["values"]}

    def requests(self, examples: list[bytes]) -> dict[str, dict[str, tf.Tensor]]:
        """See `Served`."""
        raw = tf.io.parse_example(examples, self._raw_specs)
        columns = {name: self._as_sent(name, values) for name, values in raw.items()}
        sent = {"inputs": tf.constant(examples, tf.string)}
        return super().requests(examples) | {SIGNATURE: columns} | dict.fromkeys(self._of_examples(), sent)

    def signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """See `Served`."""
        columns = {
            argument: tf.TensorSpec((None, None) if self._kinds[name] in LISTS else (None,), RAW_DTYPES[self._kinds[name]], argument)
            for name, argument in _arguments(self._raw_specs).items()
        }
        examples = tf.TensorSpec((None,), tf.string, "inputs")
        return (
            super().signatures()
            | {SIGNATURE: self.predict_columns.get_concrete_function(**columns)}
            | {name: method.get_concrete_function(examples) for name, method in self._of_examples().items()}
        )

    def _of_examples(self) -> dict[str, Callable[[tf.Tensor], Prediction]]:
        return {"regress": self.regress} if self._task.PREDICTIONS == "values" else {"classify": self.classify}

    def _as_sent(self, name: str, values: tf.Tensor | tf.SparseTensor) -> tf.Tensor:
        """(n,), or (n, m) of a list, of the raw feature."""
        kind = self._kinds[name]
        if kind in LISTS:
            return padded_in_front(values, values.dense_shape[1] if isinstance(values, tf.SparseTensor) else tf.shape(values)[1])
        missing = MISSING_VALUES[kind]
        return one_a_row(values, b"" if missing is None else missing)

    def _as_raw(self, name: str, values: tf.Tensor) -> Raw:
        """(n,) or (n, m) in the shape of the raw feature, which the data's schema decides."""
        spec = self._raw_specs[name]
        if self._kinds[name] in LISTS:
            if isinstance(spec, tf.io.FixedLenFeature):
                return padded_in_front(values, spec.shape[0])
            return tf.SparseTensor(tf.where(tf.ones_like(values, tf.bool)), tf.reshape(values, [-1]), tf.shape(values, tf.int64))
        if isinstance(spec, tf.io.FixedLenFeature):
            return tf.reshape(values, [-1, *spec.shape])
        rows = tf.range(tf.size(values, tf.int64))
        return tf.SparseTensor(tf.stack([rows, tf.zeros_like(rows)], axis=1), values, tf.stack([tf.size(values, tf.int64), 1]))


def _arguments(columns: Iterable[str]) -> dict[str, str]:
    """By column, its own name where Python and TensorFlow take that for an argument, else one made of its place that no column has."""
    columns = list(columns)
    found = {}
    for number, name in enumerate(columns, 1):
        made = f"column_{number}"
        while made in columns:
            made += "_"
        is_taken = _ARGUMENT.fullmatch(name) and not keyword.iskeyword(name) and name != "self"
        found[name] = name if is_taken else made
    return found


def use_own_names(served: ServedColumns, serving_model_dir: str) -> None:
    """Gives the inputs of `predict_columns` the user's own names in what TensorFlow Serving reads, the signature definitions."""
    path = os.path.join(serving_model_dir, "saved_model.pb")
    arguments = _arguments(served.raw_names)
    if all(argument == name for name, argument in arguments.items()):
        return
    saved = saved_model_pb2.SavedModel()
    with tf.io.gfile.GFile(path, "rb") as file:
        saved.ParseFromString(file.read())
    for graph in saved.meta_graphs:
        inputs = graph.signature_def[SIGNATURE].inputs
        for name, argument in arguments.items():
            if argument != name:
                inputs[name].CopyFrom(inputs[argument])
                del inputs[argument]
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(saved.SerializeToString(deterministic=True))
