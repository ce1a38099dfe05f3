"""Transformed examples -> batches of (pixels, label), the same batches in the same order for both loops.

files -> parse many rows at once -> in memory, where they fit -> each epoch: a new seeded order -> gather a batch at a time
                                 -> else, each epoch: read again through a seeded shuffle buffer -> parse a batch at a time
"""

from collections.abc import Callable
from typing import NamedTuple

import psutil
import tensorflow as tf

from trainer import features
from trainer.config import TrainerConfig
from trainer.errors import DataError

FeatureSpec = dict[str, tf.io.FixedLenFeature]
Rows = tuple[tf.Tensor, tf.Tensor]

_SHUFFLE_BUFFER = 16_384  # examples; when streaming
_PARSE_BATCH = 2_048  # examples; when reading into memory
_PREFETCH = 8  # batches
_SHARE_OF_FREE_MEMORY = 0.25


class Batches(NamedTuple):
    """A split in batches of (pixels float32 (batch, height, width, channels), label int64 (batch,) or float32 (batch, classes))."""

    dataset: tf.data.Dataset  # of train, all epochs one after the other; of eval, one pass
    steps: int  # batches an epoch, the last one perhaps smaller
    examples: int  # rows an epoch


def train_batches(patterns: list[str], spec: FeatureSpec, config: TrainerConfig, one_hot: bool = False) -> Batches:
    """`config.epochs` epochs of the training split, each with every example once, in an order that seed and epoch alone decide."""
    files, finish = _files(patterns), _finish(config, one_hot)
    rows = _in_memory(files, spec, config)
    examples = _count(files) if rows is None else int(rows[1].shape[0])
    steps = -(-examples // config.batch_size)

    def shuffled_in_memory(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(tf.range(examples), seed=tf.stack([config.seed, epoch]))
        return tf.data.Dataset.range(steps).map(lambda step: _gather(rows, order, step * config.batch_size, config.batch_size))

    def shuffled_stream(epoch: tf.Tensor) -> tf.data.Dataset:
        seed = config.seed + epoch * 2**31
        stream = _records(files).shuffle(_SHUFFLE_BUFFER, seed=seed, reshuffle_each_iteration=False)
        return stream.batch(config.batch_size).map(_parse(spec, config.classes), num_parallel_calls=tf.data.AUTOTUNE)

    epochs = tf.data.Dataset.range(config.epochs)
    dataset = epochs.flat_map(shuffled_stream if rows is None else shuffled_in_memory)
    return Batches(finish(dataset), steps, examples)


def eval_batches(patterns: list[str], spec: FeatureSpec, config: TrainerConfig, one_hot: bool = False) -> Batches:
    """The eval split, every example once, in the files' order."""
    files, finish = _files(patterns), _finish(config, one_hot)
    rows = _in_memory(files, spec, config)
    if rows is None:
        dataset = _records(files).batch(config.batch_size).map(_parse(spec, config.classes), num_parallel_calls=tf.data.AUTOTUNE)
        examples = _count(files)
    else:
        dataset = tf.data.Dataset.from_tensor_slices(rows).batch(config.batch_size)
        examples = int(rows[1].shape[0])
    return Batches(finish(dataset), -(-examples // config.batch_size), examples)


def _files(patterns: list[str]) -> list[str]:
    """The files in one order, whatever order the file system lists them in."""
    files = sorted(file for pattern in patterns for file in tf.io.gfile.glob(pattern))
    if not files:
        raise DataError(f"Expected files of transformed examples at {', '.join(patterns)}. Received no match. Run Transform with `materialize=True`.")
    return files


def _records(files: list[str]) -> tf.data.Dataset:
    return tf.data.TFRecordDataset(files, compression_type="GZIP", buffer_size=1 << 20)


def _count(files: list[str]) -> int:
    return int(_records(files).reduce(tf.constant(0, tf.int64), lambda count, _: count + 1))


def _parse(spec: FeatureSpec, classes: int) -> Callable[[tf.Tensor], Rows]:
    wanted = {name: spec[name] for name in (features.PIXELS, features.TRANSFORMED_LABEL)}

    def parse(serialized: tf.Tensor) -> Rows:
        row = tf.io.parse_example(serialized, wanted)
        label = row[features.TRANSFORMED_LABEL]
        check = tf.debugging.Assert(
            tf.reduce_all(tf.logical_and(label >= 0, label < classes)),
            [f"Expected labels 0 to {classes - 1} (`trainer.classes: {classes}`). Received labels from", tf.reduce_min(label), "to", tf.reduce_max(label)],
        )
        with tf.control_dependencies([check]):
            return row[features.PIXELS], tf.identity(label)

    return parse


def _in_memory(files: list[str], spec: FeatureSpec, config: TrainerConfig) -> Rows | None:
    """All rows, or None where `config.cache` says to stream them, or, left to itself, finds that they do not fit."""
    if config.cache == "none":
        return None
    budget = psutil.virtual_memory().available * _SHARE_OF_FREE_MEMORY if config.cache == "auto" else float("inf")
    parts: list[Rows] = []
    for pixels, label in _records(files).batch(_PARSE_BATCH).map(_parse(spec, config.classes), num_parallel_calls=tf.data.AUTOTUNE).prefetch(2):
        parts.append((pixels, label))
        budget -= pixels.shape.num_elements() * pixels.dtype.size
        if budget < 0:
            return None
    if not parts:
        raise DataError(f"Expected examples in {files[0]} and its {len(files) - 1} sister files. Received none.")
    return tf.concat([pixels for pixels, _ in parts], 0), tf.concat([label for _, label in parts], 0)


def _gather(rows: Rows, order: tf.Tensor, start: tf.Tensor, size: int) -> Rows:
    chosen = order[start : start + size]
    return tf.gather(rows[0], chosen), tf.gather(rows[1], chosen)


def _finish(config: TrainerConfig, one_hot: bool) -> Callable[[tf.data.Dataset], tf.data.Dataset]:
    def finish(dataset: tf.data.Dataset) -> tf.data.Dataset:
        if one_hot:
            dataset = dataset.map(lambda pixels, label: (pixels, tf.one_hot(label, config.classes)))
        return dataset.prefetch(_PREFETCH)

    return finish
