"""A split's rows, read once and then asked for by number, so that every epoch can have them all in any order.

batches of rows -> in memory, while they fit -> else in a temporary file on the local disk -> else none
"""

import os
import tempfile
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

import numpy as np
import tensorflow as tf


class Rows(NamedTuple):
    """All rows of a split, in the files' order."""

    labels: tf.Tensor  # int64 (rows,)
    pixels: Callable[[tf.Tensor], tf.Tensor]  # float32 (n, height, width, channels) of the row numbers int64 (n,)
    place: str  # where the pixels are, for people


def keep_rows(batches: tf.data.Dataset, memory: float, disk: float) -> Rows | None:
    """The rows of all batches, or None where neither has room.

    Args:
      batches: (pixels float32 (n, height, width, channels), labels int64 (n,)).
      memory: bytes that the pixels may take in memory.
      disk: bytes that they may take in the temporary folder, where memory has no room. Their file has no name,
        so it is gone when the process is, however that ends.
    """
    size = 0
    parts, labels = ([tf.zeros((0, *part.shape[1:]), part.dtype)] for part in batches.element_spec)
    file: BinaryIO | None = None
    for pixels, label in batches:
        labels.append(label)
        parts.append(pixels)
        size += pixels.shape.num_elements() * pixels.dtype.size
        if file is None and size > memory:
            file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - open for as long as somebody asks for rows
        if file is not None and not (size <= disk and _written(parts, file)):
            file.close()
            return None
    if file is None:
        in_memory = tf.concat(parts, 0)
        return Rows(tf.concat(labels, 0), lambda numbers: tf.gather(in_memory, numbers), "in memory")
    return Rows(tf.concat(labels, 0), _from_file(file, batches.element_spec[0]), f"in a file in {tempfile.gettempdir()}")


def _written(parts: list[tf.Tensor], file: BinaryIO) -> bool:
    """Whether `parts`, which is empty afterwards, went to the end of `file`."""
    try:
        for part in parts:
            left = part.numpy().tobytes()
            while left:
                left = left[file.write(left) :]  # a disk that is almost full takes less than it is given
    except OSError:  # a full disk, a quota
        return False
    parts.clear()
    return True


def _from_file(file: BinaryIO, example: tf.TensorSpec) -> Callable[[tf.Tensor], tf.Tensor]:
    shape, dtype = example.shape[1:], example.dtype
    size = shape.num_elements() * dtype.size

    def read(numbers: np.ndarray) -> np.ndarray:
        rows = b"".join(os.pread(file.fileno(), size, int(number) * size) for number in numbers)
        return np.frombuffer(rows, dtype.as_numpy_dtype).reshape(-1, *shape)

    return lambda numbers: tf.ensure_shape(tf.numpy_function(read, [numbers], dtype, stateful=False), (None, *shape))
