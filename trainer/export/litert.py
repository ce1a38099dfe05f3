"""LiteRT (TensorFlow Lite): one file that phones, browsers and small boards run, without TensorFlow.

function of numbers -> a SavedModel for the moment, for of Keras 3 the converter takes nothing else -> the built-in operations alone
"""

import re
import tempfile
import warnings
from collections.abc import Iterable
from typing import Literal

import numpy as np
import tensorflow as tf

from trainer.export.portable import Inputs, Portable

Precision = Literal["float32", "float16", "int8"]
_LACKING = re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op")
_LISTS = re.compile(r"\bTensorList[A-Z]\w+")  # what recurrent layers are made of


def convert(portable: Portable, precision: Precision, calibration: Inputs) -> bytes:
    """The file's content.

    Args:
      portable: what is converted.
      precision: of the weights; `int8` is of the activations too, where an operation has such a form. Inputs and outputs keep their types.
      calibration: rows of the train split, from which `int8` takes the ranges of activations.

    Raises:
      ValueError: an operation is not among LiteRT's own, in one clause.
    """
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(portable, folder, signatures={"serving_default": portable.lite()})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if precision == "int8":
            converter.representative_dataset = lambda: _one_by_one(calibration)
        try:
            return converter.convert()
        except Exception as error:
            raise ValueError(_clause(error)) from error


class Runner:
    """Answers rows with a converted model, on one core."""

    def __init__(self, content: bytes) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TensorFlow's interpreter says that LiteRT has a package of its own
            interpreter = tf.lite.Interpreter(model_content=content, num_threads=1)
        self._run = interpreter.get_signature_runner("serving_default")

    def __call__(self, inputs: Inputs) -> np.ndarray:
        """(n, ...) of inputs (n, ...) by name."""
        [answer] = self._run(**inputs).values()
        return answer


def _one_by_one(rows: Inputs) -> Iterable[tuple[str, Inputs]]:
    for row in range(len(next(iter(rows.values())))):
        yield {name: values[row : row + 1] for name, values in rows.items()}


def _clause(error: Exception) -> str:
    text = str(error)
    found = sorted(set(_LACKING.findall(text) or _LISTS.findall(text)))
    if found:
        return f"LiteRT has no operation of its own for {', '.join(found)}"
    return f"LiteRT's converter says: {next(iter(text.strip().splitlines()), type(error).__name__)}"
