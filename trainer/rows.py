"""A split's rows, read once and then asked for by number, so that every epoch can have them all in any order.

batches of rows -> in memory, while they fit -> else in a temporary file on the local disk -> else none
"""

import os
import tempfile
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

import numpy as np
import tensorflow as tf

from trainer import padding, pixels

Inputs = dict[str, tf.Tensor]


class Rows(NamedTuple):
    """All rows of a split, or of a worker's shard of it, in the files' order."""

    labels: tf.Tensor  # (rows,) or (rows, ...)
    inputs: Callable[[tf.Tensor], Inputs]  # what the model gets, (n, ...) by name, of the row numbers int64 (n,)
    place: str  # where the inputs are, for people


def keep_rows(batches: tf.data.Dataset, memory: float, disk: float, *, narrow: bool = True) -> Rows | None:
    """The rows of all batches, or None where neither has room.

    Args:
      batches: (inputs (n, ...) by name, labels (n, ...)); where these are of more rows than the inputs, they are for the caller.
      memory: bytes that the inputs may take in memory.
      disk: bytes that they may take in the temporary folder, where memory has no room. Their file has no name,
        so it is gone when the process is, however that ends.
      narrow: whether pictures wait as uint8 where that keeps every bit. The first batch tells, and where a later one is
        otherwise, all are read again and kept as they are.
    """
    specs, label_spec = batches.element_spec
    stored, codings = specs, {}
    rows = size = 0
    labels = [tf.zeros((0, *label_spec.shape[1:]), label_spec.dtype)]
    parts: list[padding.Packed] = []
    file: BinaryIO | None = None
    for inputs, label in batches:
        labels.append(label)
        number = int(next(iter(inputs.values())).shape[0])
        if not number:  # others' rows alone, of several workers
            continue
        if narrow and not rows:
            codings = pixels.coding(inputs)
            stored = specs | {name: tf.TensorSpec(specs[name].shape, tf.uint8) for name in codings}
        kept = pixels.packed(inputs, codings)
        if kept is None:
            return keep_rows(batches, memory, disk, narrow=False)
        parts.append(padding.packed(kept))
        rows += number
        size += sum(_size(values) for values in parts[-1].values())
        if file is None and size > memory:
            file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - open for as long as somebody asks for rows
        if file is not None and not (rows * sum(map(_bytes, stored.values())) <= disk and _written(parts, stored, file)):
            file.close()
            return None
    if file is None:
        parts.append(padding.packed({name: tf.zeros((0, *spec.shape[1:]), spec.dtype) for name, spec in stored.items()}))
        # One input's batches go when they have become one tensor: never are all inputs there twice.
        in_memory = {name: tf.concat([part.pop(name) for part in parts], 0) for name in specs}
        found, place = (lambda numbers: padding.unpacked(_gathered(in_memory, numbers), stored)), "in memory"
    else:
        found, place = _from_file(file, stored), f"in a file in {tempfile.gettempdir()}"
    return Rows(tf.concat(labels, 0), lambda numbers: pixels.unpacked(found(numbers), codings), place)


def _bytes(spec: tf.TensorSpec) -> int:
    """Of one row, where it is not packed."""
    return spec.shape[1:].num_elements() * spec.dtype.size


def _size(values: tf.Tensor | tf.RaggedTensor) -> int:
    """Bytes."""
    return sum(part.shape.num_elements() * part.dtype.size for part in tf.nest.flatten(values, expand_composites=True))


def _gathered(inputs: padding.Packed, numbers: tf.Tensor) -> padding.Packed:
    return {name: tf.gather(values, numbers) for name, values in inputs.items()}


def _written(parts: list[padding.Packed], specs: dict[str, tf.TensorSpec], file: BinaryIO) -> bool:
    """Whether `parts`, which is empty afterwards, went to the end of `file`, a row's inputs beside each other."""
    try:
        for part in parts:
            whole = padding.unpacked(part, specs, whole=True)
            left = np.concatenate([_as_bytes(whole[name].numpy()) for name in specs], axis=1).tobytes()
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
    sizes = [_bytes(spec) for spec in specs.values()]
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
