"""A SavedModel as a layer: TF Hub's format of TensorFlow 2, or anything with one signature from pictures to features.

Keras's TFSMLayer takes one function for training and another for answers by their names, and every variable as its file marks it. A module
of TF Hub is one function of (pictures, training), with a list of what to train.
"""

import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import layers

_SIGNATURES = ("serving_default", "default")


class SavedNetwork(layers.Layer):
    """Float32 pictures (batch, height, width, channels) -> what the SavedModel gives for them.

    Its variables are the layer's weights, so that a checkpoint, an optimizer and an export know them as any others. While the layer is
    frozen, it answers as when it serves.

    Attributes:
      taken: the shape of the pictures, with the batch; None where it may be any.
    """

    def __init__(self, folder: str, name: str) -> None:
        """Loads the SavedModel in `folder`, which is not needed afterwards.

        Raises:
          ValueError: it has no function of pictures. OSError, tf.errors.OpError: it cannot be read.
        """
        super().__init__(name=name, dtype="float32")
        self._saved = tf.saved_model.load(folder)  # of which the function itself would keep no variables
        concrete, self._function = _function(self._saved)
        spec = concrete[0][1]
        self.taken = None if spec.shape.rank is None else tuple(spec.shape)
        self._takes_training = any(_takes_training(each) for each, _ in concrete)
        trained = getattr(self._saved, "trainable_variables", None)
        if not any(each.variables for each, _ in concrete):
            raise ValueError("one without variables, which has learnt nothing")
        is_trained = {id(variable) for variable in trained} if trained is not None else None
        used = {id(variable): variable for each, _ in concrete for variable in each.variables}
        self._network_weights = [
            keras.Variable(
                variable,
                trainable=variable.trainable if is_trained is None else key in is_trained,
                dtype=variable.dtype.name,
                name=variable.name.partition(":")[0].replace("/", "_"),
            )
            for key, variable in used.items()
        ]
        self.built = True

    def call(self, pictures: tf.Tensor, training: bool = False) -> Any:
        """See the class."""
        return self._function(pictures, **({"training": bool(training and self.trainable)} if self._takes_training else {}))


def _function(saved: Any) -> tuple[list[tuple[Any, tf.TensorSpec]], Callable[..., Any]]:
    """What to call, and the traces of it that take a picture, each with what it says of the picture."""
    function = getattr(saved, "__call__", None) if callable(saved) else None  # noqa: B004 - the function itself, with its traces
    traces = getattr(function, "concrete_functions", [])
    found = [(each, spec) for each in traces if (spec := _pictures(each.structured_input_signature[0][:1]))]
    if found:
        return found, function
    given = [spec for each in traces for spec in each.structured_input_signature[0][:1]]
    signatures = getattr(saved, "signatures", {})
    for name in _SIGNATURES if not traces else ():
        if name in signatures:
            signature = signatures[name]
            specs = signature.structured_input_signature[1]
            given += specs.values()
            if spec := _pictures([*specs.values()]):
                return [(signature, spec)], functools.partial(_signature, signature, next(iter(specs)))
    if any(isinstance(spec, tf.TensorSpec) and spec.dtype == tf.string for spec in given):
        raise ValueError("a module of texts, which `tapeline` has cut into words and numbered before any model: use one of pictures")
    raise ValueError(f"one without a function of float32 pictures: it has {_listed(given)}")


def _pictures(arguments: Any) -> tf.TensorSpec | None:
    """What a function's only argument is, where that may be a batch of pictures."""
    is_one = len(arguments) == 1 and isinstance(arguments[0], tf.TensorSpec) and arguments[0].dtype == tf.float32
    return arguments[0] if is_one and arguments[0].shape.rank in (None, 4) else None


def _takes_training(trace: Any) -> bool:
    """Whether a trace of a function was made for an argument `training`, whatever it was."""
    return "training" in trace.structured_input_signature[1] or "training" in trace.function_type.parameters


def _signature(signature: Callable[..., dict[str, tf.Tensor]], name: str, pictures: tf.Tensor) -> Any:
    outputs = signature(**{name: pictures})
    return next(iter(outputs.values())) if len(outputs) == 1 else outputs


def _listed(specs: list[Any]) -> str:
    return ", ".join(f"{spec.dtype.name} {spec.shape}" for spec in specs if isinstance(spec, tf.TensorSpec)) or "none"
