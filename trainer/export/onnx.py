"""ONNX: one file for ONNX Runtime and what else reads it. By packages that are not among the project's own: see `missing`."""

import importlib.util

import numpy as np
import tensorflow as tf

from trainer.errors import ConfigError
from trainer.export.portable import Inputs, Portable

_NEEDED = ("tf2onnx", "onnx", "onnxruntime")
_INSTALL = ".tools/uv/bin/uv pip install --python .venv/bin/python tf2onnx onnxruntime 'onnx<1.18'"  # later onnx takes another protobuf
_OPSET = 17  # of 2022, which runtimes since 1.12 have


def check() -> None:
    """Raises ConfigError where a package is missing."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"Expected {', '.join(_NEEDED)} for `export.onnx: true`. Missing: {', '.join(missing)}. Next: {_INSTALL}")


def convert(portable: Portable) -> bytes:
    """The file's content, all float32.

    Raises:
      ValueError: an operation has no form in ONNX, in one clause.
    """
    import tf2onnx  # see `check`

    names = list(portable.signature)

    def predict(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return portable.predict(**dict(zip(names, inputs, strict=True)))

    signature = tuple(portable.signature.values())
    try:
        model, _ = tf2onnx.convert.from_function(
            tf.function(predict, autograph=False, input_signature=signature), input_signature=signature, opset=_OPSET
        )
    except Exception as error:
        raise ValueError(f"tf2onnx says: {str(error).strip().splitlines()[0]}") from error
    return model.SerializeToString()


class Runner:
    """Answers rows with a converted model, on one core."""

    def __init__(self, content: bytes) -> None:
        import onnxruntime  # see `check`

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def __call__(self, inputs: Inputs) -> np.ndarray:
        """(n, ...) of inputs (n, ...) by name."""
        [answer] = self._session.run(None, inputs)
        return answer
