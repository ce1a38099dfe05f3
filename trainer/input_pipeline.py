"""Transformed examples -> batches of (pixels, label), the same batches in the same order for both loops.

files -> parse many rows at once -> in memory, where they fit -> each epoch: a new seeded order -> gather a batch at a time
                                 -> else, each epoch: read again through a seeded shuffle buffer -> parse a batch at a time
"""

from typing import NamedTuple

import psutil
import tensorflow as tf

from trainer import features
from trainer.config import TrainerConfig
from trainer.errors import DataError

FeatureSpec = dict[str, tf.io.FixedLenFeature]
Rows = tuple[tf.Tensor, tf.Tensor]

_SHUFFLE_BUFFER = 16_384  # examples; when streaming
_READ_BUFFER = 1 << 20  # bytes
_PARSE_BATCH = 2_048  # examples; when reading into memory
_PREFETCH = 8  # batches
_SHARE_OF_FREE_MEMORY = 0.25


class Batches(NamedTuple):
    """A split in batches of (pixels float32 (batch, height, width, channels), label int64 (batch,) or float32 (batch, classes))."""

    dataset: tf.data.Dataset  # of train, all epochs one after the other; of eval, one pass
    steps: int  # batches an epoch; the last one may be smaller, so that no example is left out or seen twice, except on a TPU
    examples: int  # rows an epoch


def train_batches(patterns: list[str], spec: FeatureSpec, config: TrainerConfig, one_hot: bool = False) -> Batches:
    """`config.epochs` epochs of the training split, each with every example once, in an order that seed and epoch alone decide.

    Args:
      patterns: glob patterns of gzipped TFRecords of transformed examples.
      spec: how to parse one, from `tft.TFTransformOutput.transformed_feature_spec()`.
      config: epochs, batch size, seed, cache, and the number of classes, which the labels are checked against.
      one_hot: whether labels come one-hot encoded.

    Raises:
      DataError: no file, no example, or a label that is no class.
    """
    files = _files(patterns)
    rows = _in_memory(files, spec, config)
    examples = _scan(files, spec, config) if rows is None else int(rows[1].shape[0])
    steps = -(-examples // config.batch_size)

    def shuffled_in_memory(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(tf.range(examples), seed=tf.stack([config.seed, epoch]))
        return tf.data.Dataset.range(steps).map(lambda step: _gather(rows, _one_batch(order, step, config)))

    def shuffled_stream(epoch: tf.Tensor) -> tf.data.Dataset:
        shuffled = _records(files).shuffle(_SHUFFLE_BUFFER, seed=config.seed + epoch * 2**31, reshuffle_each_iteration=False)
        return _parsed(shuffled.batch(config.batch_size), spec)

    dataset = tf.data.Dataset.range(config.epochs).flat_map(shuffled_stream if rows is None else shuffled_in_memory)
    return _finished(dataset, config, one_hot, steps, examples)


def eval_batches(patterns: list[str], spec: FeatureSpec, config: TrainerConfig, one_hot: bool = False) -> Batches:
    """The eval split, every example once, in the files' order. Arguments and errors are those of `train_batches`."""
    files = _files(patterns)
    rows = _in_memory(files, spec, config)
    examples = _scan(files, spec, config) if rows is None else int(rows[1].shape[0])
    steps = -(-examples // config.batch_size)
    if rows is None:
        dataset = _parsed(_records(files).batch(config.batch_size), spec).apply(tf.data.experimental.assert_cardinality(steps))
    else:
        dataset = tf.data.Dataset.range(steps).map(lambda step: (_one_batch(rows[0], step, config), _one_batch(rows[1], step, config)))
    return _finished(dataset, config, one_hot, steps, examples)


def _files(patterns: list[str]) -> list[str]:
    """The files in one order, whatever order the file system lists them in."""
    files = sorted(file for pattern in patterns for file in tf.io.gfile.glob(pattern))
    if not files:
        where = ", ".join(patterns)
        raise DataError(f"Expected files of transformed examples at {where}. Received no match. Run Transform with `materialize=True`.")
    return files


def _records(files: list[str]) -> tf.data.Dataset:
    return tf.data.TFRecordDataset(files, compression_type="GZIP", buffer_size=_READ_BUFFER)


def _parsed(batches: tf.data.Dataset, spec: FeatureSpec) -> tf.data.Dataset:
    """(pixels, label) of batches of serialized examples."""
    wanted = {name: spec[name] for name in (features.PIXELS, features.TRANSFORMED_LABEL)}

    def parse(serialized: tf.Tensor) -> Rows:
        row = tf.io.parse_example(serialized, wanted)
        return row[features.PIXELS], row[features.TRANSFORMED_LABEL]

    return batches.map(parse, num_parallel_calls=tf.data.AUTOTUNE)


def _in_memory(files: list[str], spec: FeatureSpec, config: TrainerConfig) -> Rows | None:
    """All rows, or None where `config.cache` says to stream them, or, left to itself, finds that they do not fit."""
    if config.cache == "none":
        return None
    budget = psutil.virtual_memory().available * _SHARE_OF_FREE_MEMORY if config.cache == "auto" else float("inf")
    parts: list[Rows] = []
    for pixels, label in _parsed(_records(files).batch(_PARSE_BATCH), spec).prefetch(_PREFETCH):
        parts.append((pixels, label))
        budget -= pixels.shape.num_elements() * pixels.dtype.size
        if budget < 0:
            return None
    _check_labels([label for _, label in parts], files, config)
    return tf.concat([pixels for pixels, _ in parts], 0), tf.concat([label for _, label in parts], 0)


def _scan(files: list[str], spec: FeatureSpec, config: TrainerConfig) -> int:
    """The number of rows, from one pass that looks at the labels alone."""
    name = features.TRANSFORMED_LABEL
    labels = _records(files).batch(_PARSE_BATCH).map(lambda rows: tf.io.parse_example(rows, {name: spec[name]})[name])
    parts = list(labels)
    _check_labels(parts, files, config)
    return sum(int(part.shape[0]) for part in parts)


def _check_labels(parts: list[tf.Tensor], files: list[str], config: TrainerConfig) -> None:
    if not parts:
        raise DataError(f"Expected examples in {', '.join(files)}. Received none.")
    low = min(int(tf.reduce_min(part)) for part in parts)
    high = max(int(tf.reduce_max(part)) for part in parts)
    if low < 0 or high >= config.classes:
        raise DataError(
            f"Expected labels from 0 to {config.classes - 1}, for `trainer.classes` is {config.classes}. "
            f"Received labels from {low} to {high} in {files[0]}. "
            + (f"Set `trainer.classes: {high + 1}` if they are right." if low >= 0 else "Number the classes from 0.")
        )


def _one_batch(rows: tf.Tensor, step: tf.Tensor, config: TrainerConfig) -> tf.Tensor:
    return rows[step * config.batch_size : (step + 1) * config.batch_size]


def _gather(rows: Rows, chosen: tf.Tensor) -> Rows:
    return tf.gather(rows[0], chosen), tf.gather(rows[1], chosen)


def _finished(dataset: tf.data.Dataset, config: TrainerConfig, one_hot: bool, steps: int, examples: int) -> Batches:
    if one_hot:
        dataset = dataset.map(lambda pixels, label: (pixels, tf.one_hot(label, config.classes)))
    if config.strategy == "tpu":
        steps = examples // config.batch_size
        dataset = _full_batches(dataset, config.batch_size)
    return Batches(dataset.prefetch(_PREFETCH), steps, steps * config.batch_size if config.strategy == "tpu" else examples)


def _full_batches(dataset: tf.data.Dataset, size: int) -> tf.data.Dataset:
    """The batches of exactly `size` rows, of a shape that XLA knows before it sees one."""

    def sized(tensor: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tensor, [size, *tensor.shape[1:]])

    full = dataset.filter(lambda pixels, label: tf.equal(tf.shape(pixels)[0], size))
    return full.map(lambda pixels, label: (sized(pixels), sized(label)))
