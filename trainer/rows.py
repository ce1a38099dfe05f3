"""A split's rows, read once and then asked for by number, so that every epoch can have them all in any order.

batches of rows -> in memory, while they fit -> else in a temporary file on the local disk -> else none
"""

import os
import tempfile
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

import numpy as np
import tensorflow as tf

Inputs = dict[str, tf.Tensor]


class Rows(NamedTuple):
    """All rows of a split, in the files' order."""

    labels: tf.Tensor  # (rows,) or (rows, ...)
    inputs: Callable[[tf.Tensor], Inputs]  # what the model gets, (n, ...) by name, of the row numbers int64 (n,)
    place: str  # where the inputs are, for people


def keep_rows(batches: tf.data.Dataset, memory: float, disk: float) -> Rows | None:
    """The rows of all batches, or None where neither has room.

    Args:
      batches: (inputs (n, ...) by name, labels (n, ...)).
      memory: bytes that the inputs may take in memory.
      disk: bytes that they may take in the temporary folder, where memory has no room. Their file has no name,
        so it is gone when the process is, however that ends.
    """
    specs, label_spec = batches.element_spec
    size = 0
    labels = [tf.zeros((0, *label_spec.shape[1:]), label_spec.dtype)]
    parts: list[Inputs] = []
    file: BinaryIO | None = None
    for inputs, label in batches:
        labels.append(label)
        parts.append(inputs)
        size += sum(tensor.shape.num_elements() * tensor.dtype.size for tensor in inputs.values())
        if file is None and size > memory:
            file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - open for as long as somebody asks for rows
        if file is not None and not (size <= disk and _written(parts, file)):
            file.close()
            return None
    if file is None:
        parts.append({name: tf.zeros((0, *spec.shape[1:]), spec.dtype) for name, spec in specs.items()})
        # One input's batches go when they have become one tensor: never are all inputs there twice.
        in_memory = {name: tf.concat([part.pop(name) for part in parts], 0) for name in specs}
        return Rows(tf.concat(labels, 0), lambda numbers: {name: tf.gather(all_, numbers) for name, all_ in in_memory.items()}, "in memory")
    return Rows(tf.concat(labels, 0), _from_file(file, specs), f"in a file in {tempfile.gettempdir()}")


def _written(parts: list[Inputs], file: BinaryIO) -> bool:
    """Whether `parts`, which is empty afterwards, went to the end of `file`, a row's inputs beside each other."""
    try:
        for part in parts:
            left = np.concatenate([_as_bytes(tensor.numpy()) for tensor in part.values()], axis=1).tobytes()
            while left:
                left = left[file.write(left) :]  # a disk that is almost full takes less than it is given
    except OSError:  # a full disk, a quota
        return False
    parts.clear()
    return True


def _as_bytes(values: np.ndarray) -> np.ndarray:
    """uint8 (rows, bytes of a row)."""
    return np.ascontiguousarray(values).reshape(len(values), -1).view(np.uint8)


def _from_file(file: BinaryIO, specs: dict[str, tf.TensorSpec]) -> Callable[[tf.Tensor], Inputs]:
    sizes = [spec.shape[1:].num_elements() * spec.dtype.size for spec in specs.values()]
    row = sum(sizes)

    def read(numbers: np.ndarray) -> np.ndarray:
        rows = b"".join(os.pread(file.fileno(), row, int(number) * row) for number in numbers)
        return np.frombuffer(rows, np.uint8).reshape(-1, row)

    def inputs(numbers: tf.Tensor) -> Inputs:
        parts = tf.split(tf.ensure_shape(tf.numpy_function(read, [numbers], tf.uint8, stateful=False), (None, row)), sizes, axis=1)
        return {name: _of_bytes(part, spec) for (name, spec), part in zip(specs.items(), parts, strict=True)}

    return inputs


def _of_bytes(rows: tf.Tensor, spec: tf.TensorSpec) -> tf.Tensor:
    """The values, (n, *shape), that `_as_bytes` gave as uint8 (n, bytes)."""
    size = [spec.dtype.size] if spec.dtype.size > 1 else []  # `bitcast` takes no last dimension where a value is one byte
    values = tf.bitcast(tf.reshape(rows, [-1, spec.shape[1:].num_elements(), *size]), spec.dtype)
    return tf.reshape(values, [-1, *spec.shape[1:]])
