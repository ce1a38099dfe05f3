"""Transformed examples -> batches of (inputs, label), the same batches in the same order for both loops, wherever the rows are kept.

files -> parse many rows at once -> keep them in memory, else on the local disk -> each epoch: a new seeded order -> a batch at a time
                                 -> where neither has room, each epoch: read again, several files at once, through a seeded shuffle buffer
"""

import logging
import math
import shutil
import tempfile
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from trainer.config import TrainerConfig
from trainer.errors import DataError
from trainer.features import names
from trainer.free_memory import free_memory
from trainer.padding import trimmed
from trainer.rows import Inputs, Rows, keep_rows
from trainer.tasks import Task

FeatureSpec = dict[str, tf.io.FixedLenFeature | tf.io.VarLenFeature]  # only a label may be of variable length
_AsTaken = Callable[[Inputs, tf.Tensor], tuple[tf.Tensor | Inputs, Any]]
ParsedLabel = Callable[[tf.Tensor | tf.SparseTensor], tf.Tensor]  # a task's `parsed_label`

_READ_BUFFER = 1 << 20  # bytes
_PARSED = 1 << 24  # bytes of inputs that are parsed at once when the rows are kept
_PREFETCH = 8  # batches
_SHARE_OF_FREE_MEMORY = 0.25
_SHARE_OF_FREE_DISK = 0.5
_SHUFFLE_BUFFER = 1 << 28  # bytes of inputs; where the rows are not kept
_FILES_AT_ONCE = 16  # the same

_log = logging.getLogger(__name__)


class Position(NamedTuple):
    """Where in the training: how many epochs have ended, and how many steps of the next one."""

    epoch: int
    step: int

    @property
    def last_begun(self) -> int:
        """The number of the last epoch, from 0 on, that has begun before here; -1 where none has."""
        return self.epoch if self.step else self.epoch - 1


START = Position(0, 0)


class Batches(NamedTuple):
    """A split in batches of (x, y): x is the model's input (batch, ...), by name where it has several; y what the task's loss is given."""

    dataset: tf.data.Dataset  # of train, all epochs from `begin` on one after the other; of eval, one pass
    steps: int  # batches an epoch; the last one may be smaller, so that no example is left out or seen twice, except on a TPU
    examples: int  # rows an epoch
    begin: Position = START
    later_epochs: tf.data.Dataset | None = None  # where `begin` is within an epoch: all epochs behind that one


class Split(NamedTuple):
    """A split's transformed examples."""

    files: list[str]
    spec: FeatureSpec
    rows: Rows | None  # None where neither memory nor disk has room: then the files are read each epoch
    labels: tf.Tensor  # (rows, ...) of all rows, transformed
    parsed_label: ParsedLabel


def read_split(patterns: list[str], spec: FeatureSpec, config: TrainerConfig, parsed_label: ParsedLabel = tf.convert_to_tensor) -> Split:
    """Reads a split once.

    Args:
      patterns: glob patterns of gzipped TFRecords of transformed examples.
      spec: how to parse one, from `tft.TFTransformOutput.transformed_feature_spec()`.
      config: where rows are kept.
      parsed_label: the task's.

    Raises:
      DataError: no file, or no example.
    """
    files = _files(patterns)
    rows = _kept(files, spec, config, parsed_label)
    labels = _labels(files, spec, parsed_label) if rows is None else rows.labels
    if not int(labels.shape[0]):
        raise DataError(f"Expected examples in {', '.join(files)}. Received none.")
    return Split(files, spec, rows, labels, parsed_label)


def train_batches(split: Split, config: TrainerConfig, task: Task, begin: Position = START) -> Batches:
    """`config.epochs` epochs of the training split, each with every example once, in an order that seed and epoch alone decide.

    Args:
      split: the training split.
      config: epochs, batch size and seed.
      task: what the labels must be, and how the loss takes them; a row without a label that it knows is left out.
      begin: where the first batch is; what comes before is left out.

    Raises:
      DataError: a label that the task does not have.
    """
    known = _known(split, task)
    examples = int(known.shape[0])
    steps = -(-examples // config.batch_size)
    as_taken = _as_taken(config, task)
    tf.random.set_seed(config.seed)  # tf.data mixes it into the seed of a stream's order

    def epoch_from(epoch: tf.Tensor, first: tf.Tensor) -> tf.data.Dataset:
        if split.rows is None:
            records = _shuffled_records(split.files, split.spec, config.seed + epoch * 2**31)
            return _stream(records, split, examples, config, task).skip(first).map(as_taken)
        order = tf.random.experimental.stateless_shuffle(tf.range(examples), seed=tf.stack([config.seed, epoch]))
        return _batches(split.rows, tf.gather(known, order), first, steps, config, as_taken)

    def epochs_from(position: Position) -> Batches:
        epochs = tf.data.Dataset.range(position.epoch, config.epochs)
        first, none = tf.constant(position.step, tf.int64), tf.constant(0, tf.int64)
        dataset = epochs.flat_map(lambda epoch: epoch_from(epoch, tf.where(epoch == position.epoch, first, none)))
        return _finished(dataset, config, steps, examples)._replace(begin=position)

    batches = epochs_from(begin)
    return batches._replace(later_epochs=epochs_from(Position(begin.epoch + 1, 0)).dataset) if begin.step else batches


def eval_batches(split: Split, config: TrainerConfig, task: Task) -> Batches:
    """The eval split, every example once, in the files' order. Arguments and errors are those of `train_batches`."""
    known = _known(split, task)
    examples = int(known.shape[0])
    steps = -(-examples // config.batch_size)
    as_taken = _as_taken(config, task)
    if split.rows is None:
        stream = _stream(_records(split.files), split, examples, config, task).map(as_taken)
        dataset = stream.apply(tf.data.experimental.assert_cardinality(steps))
    else:
        dataset = _batches(split.rows, known, 0, steps, config, as_taken)
    return _finished(dataset, config, steps, examples)


def _known(split: Split, task: Task) -> tf.Tensor:
    """int64 (n,): the numbers of the rows whose label the task knows."""
    task.check_labels([split.labels], split.files[0])
    known = tf.where(task.is_known(split.labels))[:, 0]
    left_out = int(split.labels.shape[0]) - int(known.shape[0])
    if left_out:
        _log.warning("%d rows of %s have a label that the train split does not have, and are left out.", left_out, split.files[0])
    if not int(known.shape[0]):
        raise DataError(f"Expected rows with a label that the train split has in {split.files[0]}. Received none.")
    return known


def _stream(records: tf.data.Dataset, split: Split, known: int, config: TrainerConfig, task: Task) -> tf.data.Dataset:
    """Batches of records that are read anew."""
    batches = _parsed(records.batch(config.batch_size), split.spec, split.parsed_label)
    if known == int(split.labels.shape[0]):
        return batches
    return batches.unbatch().filter(lambda inputs, label: task.is_known(label)).batch(config.batch_size)


def _files(patterns: list[str]) -> list[str]:
    """The files in one order, whatever order the file system lists them in."""
    files = sorted(file for pattern in patterns for file in tf.io.gfile.glob(pattern))
    if not files:
        where = ", ".join(patterns)
        raise DataError(f"Expected files of transformed examples at {where}. Received no match. Run Transform with `materialize=True`.")
    return files


def _records(files: list[str] | tf.Tensor) -> tf.data.Dataset:
    return tf.data.TFRecordDataset(files, compression_type="GZIP", buffer_size=_READ_BUFFER)


def _shuffled_records(files: list[str], spec: FeatureSpec, seed: tf.Tensor) -> tf.data.Dataset:
    """As well mixed as can be without keeping the rows: the files in a new order, some at once, then a shuffle buffer of a fixed size."""
    order = tf.data.Dataset.from_tensor_slices(files).shuffle(len(files), seed=seed, reshuffle_each_iteration=False)
    mixed = order.interleave(_records, cycle_length=_FILES_AT_ONCE, block_length=1, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return mixed.shuffle(_rows_in(_SHUFFLE_BUFFER, spec), seed=seed, reshuffle_each_iteration=False)


def _parsed(batches: tf.data.Dataset, spec: FeatureSpec, parsed_label: ParsedLabel) -> tf.data.Dataset:
    """(inputs by name, label) of batches of serialized examples."""

    def parse(serialized: tf.Tensor) -> tuple[Inputs, tf.Tensor]:
        row = tf.io.parse_example(serialized, spec)
        label = parsed_label(row.pop(names.LABEL))
        return row, label

    return batches.map(parse, num_parallel_calls=tf.data.AUTOTUNE)


def _kept(files: list[str], spec: FeatureSpec, config: TrainerConfig, parsed_label: ParsedLabel) -> Rows | None:
    """All rows, in memory or on the disk as `config.cache` and the room there say, or None where there is none."""
    memory = {"memory": float("inf"), "none": 0.0}.get(config.cache, free_memory() * _SHARE_OF_FREE_MEMORY)
    disk = shutil.disk_usage(tempfile.gettempdir()).free * _SHARE_OF_FREE_DISK
    parts = _parsed(_records(files).batch(_rows_in(_PARSED, spec)), spec, parsed_label).prefetch(_PREFETCH)
    rows = keep_rows(parts, memory, disk)
    if rows is None:
        _log.warning(
            "The examples of %s fit neither the memory nor half of the free disk in %s. They are shuffled %d at a time, "
            "from up to %d files: data that is sorted by class may train worse.",
            files[0],
            tempfile.gettempdir(),
            _rows_in(_SHUFFLE_BUFFER, spec),
            _FILES_AT_ONCE,
        )
        return None
    _log.info("%d examples of %s: %s", int(rows.labels.shape[0]), files[0], rows.place)
    return rows


def _rows_in(size: int, spec: FeatureSpec) -> int:
    """How many rows have so many bytes of inputs; at least one."""
    row = sum(math.prod(feature.shape) * feature.dtype.size for name, feature in spec.items() if name != names.LABEL)
    return max(1, size // row)


def _labels(files: list[str], spec: FeatureSpec, parsed_label: ParsedLabel) -> tf.Tensor:
    """All labels, from one pass that looks at nothing else."""
    name = names.LABEL
    rows = _records(files).batch(_rows_in(_PARSED, spec))
    parts = rows.map(lambda serialized: parsed_label(tf.io.parse_example(serialized, {name: spec[name]})[name]))
    return tf.concat([tf.zeros((0, *parts.element_spec.shape[1:]), parts.element_spec.dtype), *parts], 0)


def _batches(
    rows: Rows, order: tf.Tensor, first: tf.Tensor | int, steps: int, config: TrainerConfig, as_taken: _AsTaken
) -> tf.data.Dataset:
    """The rows that the numbers in `order` name, a batch at a time, from the batch `first` on.

    In one `map`: a second one costs a small model's step some 3 % in tf.data's own work.
    """

    def batch(step: tf.Tensor) -> tuple[tf.Tensor | Inputs, Any]:
        numbers = order[step * config.batch_size : (step + 1) * config.batch_size]
        return as_taken(rows.inputs(numbers), tf.gather(rows.labels, numbers))

    return tf.data.Dataset.range(first, steps).map(batch)


def _as_taken(config: TrainerConfig, task: Task) -> _AsTaken:
    """What makes of a batch's inputs by name, and its labels, what the model and its loss take."""
    whole = config.strategy == "tpu"  # whose shapes are fixed
    return lambda inputs, label: (only_or_all(inputs if whole else trimmed(inputs)), task.targets(label, config))


def _finished(dataset: tf.data.Dataset, config: TrainerConfig, steps: int, examples: int) -> Batches:
    if config.strategy == "tpu":
        steps = examples // config.batch_size
        dataset = _full_batches(dataset, config.batch_size)
    return Batches(dataset.prefetch(_PREFETCH), steps, steps * config.batch_size if config.strategy == "tpu" else examples)


def only_or_all(inputs: Inputs) -> tf.Tensor | Inputs:
    """The input where the model has one, else all by name: what Keras's models are called with."""
    return next(iter(inputs.values())) if len(inputs) == 1 else inputs


def _full_batches(dataset: tf.data.Dataset, size: int) -> tf.data.Dataset:
    """The batches of exactly `size` rows, of a shape that XLA knows before it sees one."""

    def sized(tensor: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tensor, [size, *tensor.shape[1:]])

    full = dataset.filter(lambda x, y: tf.equal(tf.shape(y)[0], size))
    return full.map(lambda x, y: (tf.nest.map_structure(sized, x), sized(y)))
