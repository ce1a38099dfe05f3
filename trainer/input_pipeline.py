"""Transformed examples -> batches of (inputs, label), the same batches in the same order for both loops, wherever the rows are kept.

files -> parse many rows at once -> keep them in memory, else on the local disk -> each epoch: a new seeded order -> a batch at a time
                                 -> where neither has room, each epoch: read again, several files at once, through a seeded shuffle buffer

Of several workers each parses and keeps its own shard of the rows, and has its part of each batch; of the others' rows only the labels.
"""

import logging
import math
import shutil
import tempfile
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np
import tensorflow as tf

from trainer.config import TrainerConfig
from trainer.errors import DataError
from trainer.features import names
from trainer.free_memory import free_memory
from trainer.padding import trimmed
from trainer.rows import Inputs, Rows, keep_rows
from trainer.shards import Shard
from trainer.tasks import Task, row_weights

FeatureSpec = dict[str, tf.io.FixedLenFeature | tf.io.VarLenFeature]  # only a label may be of variable length
_AsTaken = Callable[[Inputs, tf.Tensor], tuple[tf.Tensor | Inputs, Any]]
ParsedLabel = Callable[[tf.Tensor | tf.SparseTensor], tf.Tensor]  # a task's `parsed_label`
IsKnown = Callable[[tf.Tensor], tf.Tensor]  # a task's `is_known`

_READ_BUFFER = 1 << 20  # bytes
_PARSED = 1 << 24  # bytes of inputs that are parsed at once when the rows are kept
_PREFETCH = 8  # batches
_SHARE_OF_FREE_MEMORY = 0.25
_SHARE_OF_FREE_DISK = 0.5
_SHUFFLE_BUFFER = 1 << 28  # bytes of inputs; where the rows are not kept
_FILES_AT_ONCE = 16  # the same
_SEEDS_OF_A_WORKER = 2**52  # beyond those of any epoch

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
    """A split in batches of (x, y): x is the model's input (batch, ...), by name where it has several; y what the task's loss is given.

    Where rows have weights, `row_weights` has put them behind y.

    Of several workers each has its part of each batch, which of the last one may be empty; steps and examples are those of all.
    """

    dataset: tf.data.Dataset  # of train, all epochs from `begin` on one after the other; of eval, one pass
    steps: int  # batches an epoch; the last one may be smaller, so that no example is left out or seen twice, except on a TPU
    examples: int  # rows an epoch
    begin: Position = START
    later_epochs: tf.data.Dataset | None = None  # where `begin` is within an epoch: all epochs behind that one


class Split(NamedTuple):
    """A split's transformed examples."""

    files: list[str]
    spec: FeatureSpec
    rows: Rows | None  # the shard's; None where neither memory nor disk has room: then the files are read each epoch
    labels: tf.Tensor  # (rows, ...) of all rows, transformed, whoever keeps them
    parsed_label: ParsedLabel
    shard: Shard = Shard()
    first_rows: tf.Tensor | None = None  # int64 (files,), the number of each file's first row; of rows that are read each epoch

    @property
    def is_whole(self) -> bool:
        """Whether there are no other workers."""
        return self.shard.count == 1

    def whole(self) -> Self:
        """The eval split with the rows of all workers, which are then read from the files each time."""
        return self if self.is_whole else self._replace(rows=None, shard=Shard())


def read_split(
    patterns: list[str],
    spec: FeatureSpec,
    config: TrainerConfig,
    parsed_label: ParsedLabel = tf.convert_to_tensor,
    shard: Shard = Shard(),  # noqa: B008 - a tuple, which nobody can change
    is_known: IsKnown | None = None,
) -> Split:
    """Reads a split once.

    Args:
      patterns: glob patterns of gzipped TFRecords of transformed examples.
      spec: how to parse one, from `tft.TFTransformOutput.transformed_feature_spec()`.
      config: where rows are kept.
      parsed_label: the task's.
      shard: whose rows are kept.
      is_known: the task's, for several workers share the rows whose label it knows; None where it knows all.

    Raises:
      DataError: no file, or no example.
    """
    files = _files(patterns)
    is_known = is_known or (lambda labels: tf.ones(tf.shape(labels)[:1], tf.bool))
    batches = _records(files).batch(_rows_in(_PARSED, spec))
    parts = _parsed(batches, spec, parsed_label) if shard.count == 1 else _own_parsed(batches, spec, parsed_label, shard, is_known)
    rows = _kept(files, spec, config, parts)
    labels, first_rows = _labels(files, spec, parsed_label) if rows is None else (rows.labels, None)
    if not int(labels.shape[0]):
        raise DataError(f"Expected examples in {', '.join(files)}. Received none.")
    if rows is not None:
        rows = rows if shard.count == 1 else rows._replace(labels=tf.boolean_mask(labels, shard.among(is_known(labels))))
        of_all = "" if shard.count == 1 else f" of {int(labels.shape[0])}"
        _log.info("%d%s examples of %s: %s", int(rows.labels.shape[0]), of_all, files[0], rows.place)
    return Split(files, spec, rows, labels, parsed_label, shard, first_rows)


def train_batches(split: Split, config: TrainerConfig, task: Task, begin: Position = START) -> Batches:
    """`config.epochs` epochs of the training split, each with every example once, in an order that seed, epoch and workers alone decide.

    Args:
      split: the training split.
      config: epochs, batch size and seed.
      task: what the labels must be, and how the loss takes them; a row without a label that it knows is left out.
      begin: where the first batch is; what comes before is left out.

    Raises:
      DataError: a label that the task does not have.
    """
    examples, known = _known(split, task)
    steps = -(-examples // config.batch_size)
    as_taken = _as_taken(config, task)
    tf.random.set_seed(config.seed)  # tf.data mixes it into the seed of a stream's order

    def epoch_from(epoch: tf.Tensor, first: tf.Tensor) -> tf.data.Dataset:
        if split.rows is None:
            mixed = _shuffled_records(split, known, config.seed + epoch * 2**31)
            return _stream(mixed, split, examples, config, task).skip(first).map(as_taken)
        order = tf.gather(known, split.shard.order(examples, config.seed, epoch))
        return _batches(split.rows, order, first, steps, split.shard.local_batch(config.batch_size), as_taken)

    def epochs_from(position: Position) -> Batches:
        epochs = tf.data.Dataset.range(position.epoch, config.epochs)
        first, none = tf.constant(position.step, tf.int64), tf.constant(0, tf.int64)
        dataset = epochs.flat_map(lambda epoch: epoch_from(epoch, tf.where(epoch == position.epoch, first, none)))
        return _finished(dataset, config, steps, examples)._replace(begin=position)

    batches = epochs_from(begin)
    return batches._replace(later_epochs=epochs_from(Position(begin.epoch + 1, 0)).dataset) if begin.step else batches


def eval_batches(split: Split, config: TrainerConfig, task: Task) -> Batches:
    """The eval split, every example once, in the files' order. Arguments and errors are those of `train_batches`."""
    examples, known = _known(split, task)
    steps = -(-examples // config.batch_size)
    as_taken = _as_taken(config, task)
    if split.rows is None:
        records = _records(split.files) if split.is_whole else _own_records(split.files, 0, known)
        stream = _stream(records, split, examples, config, task).map(as_taken)
        dataset = stream.apply(tf.data.experimental.assert_cardinality(steps))
    else:
        dataset = _batches(split.rows, known, 0, steps, split.shard.local_batch(config.batch_size), as_taken)
    return _finished(dataset, config, steps, examples)


def targets_spec(split: Split, config: TrainerConfig, task: Task) -> tf.TensorSpec:
    """What the task's loss is given of the labels alone, (batch, ...)."""
    targets = task.targets(split.labels[:1], config)
    return tf.TensorSpec((None, *targets.shape[1:]), targets.dtype)


def row_weights_of(split: Split) -> tf.Tensor | None:
    """float32 (rows,), the weights of all rows in the order of `split.labels`, for which the files are read anew; None without weights."""
    if names.WEIGHT not in split.spec:
        return None
    own = {names.WEIGHT: split.spec[names.WEIGHT]}
    batches = _records(split.files).batch(_rows_in(_PARSED, split.spec))
    return tf.concat([tf.io.parse_example(serialized, own)[names.WEIGHT] for serialized in batches], 0)


def _known(split: Split, task: Task) -> tuple[int, tf.Tensor]:
    """How many rows have a label that the task knows, and which of them are the shard's.

    That is int64 (n,), their places among the rows that are kept, or, where none are, bool (rows,) of all rows.
    """
    task.check_labels([split.labels], split.files[0])
    is_known = task.is_known(split.labels)
    examples = int(tf.math.count_nonzero(is_known))
    left_out = int(split.labels.shape[0]) - examples
    if left_out:
        _log.warning("%d rows of %s have a label that the train split does not have, and are left out.", left_out, split.files[0])
    if not examples:
        raise DataError(f"Expected rows with a label that the train split has in {split.files[0]}. Received none.")
    return examples, split.shard.among(is_known) if split.rows is None else tf.where(task.is_known(split.rows.labels))[:, 0]


def _stream(records: tf.data.Dataset, split: Split, known: int, config: TrainerConfig, task: Task) -> tf.data.Dataset:
    """Batches of records that are read anew."""
    size = split.shard.local_batch(config.batch_size)
    batches = records.batch(size)
    if split.shard.rows(known) <= (-(-known // config.batch_size) - 1) * size:  # the last batch has rows of other workers alone
        batches = batches.concatenate(tf.data.Dataset.from_tensors(tf.zeros((0,), tf.string)))
    batches = _parsed(batches, split.spec, split.parsed_label)
    if not split.is_whole or known == int(split.labels.shape[0]):
        return batches
    return batches.unbatch().filter(lambda inputs, label: task.is_known(label)).batch(size)


def _files(patterns: list[str]) -> list[str]:
    """The files in one order, whatever order the file system lists them in."""
    files = sorted(file for pattern in patterns for file in tf.io.gfile.glob(pattern))
    if not files:
        where = ", ".join(patterns)
        raise DataError(f"Expected files of transformed examples at {where}. Received no match. Run Transform with `materialize=True`.")
    return files


def _records(files: list[str] | tf.Tensor) -> tf.data.Dataset:
    return tf.data.TFRecordDataset(files, compression_type="GZIP", buffer_size=_READ_BUFFER)


def _own_records(files: list[str] | tf.Tensor, first_row: tf.Tensor | int, is_own: tf.Tensor) -> tf.data.Dataset:
    """The records of the rows that `is_own`, bool (rows,), says, of files whose first row is `first_row`."""
    numbered = _records(files).enumerate(first_row)
    return numbered.filter(lambda row, record: is_own[row]).map(lambda row, record: record)


def _shuffled_records(split: Split, is_own: tf.Tensor, seed: tf.Tensor) -> tf.data.Dataset:
    """As well mixed as can be without keeping the rows: the files in a new order, some at once, then a shuffle buffer of a fixed size."""
    files = tf.data.Dataset.from_tensor_slices((split.files, split.first_rows))
    order = files.shuffle(len(split.files), seed=seed, reshuffle_each_iteration=False)
    mixed = order.interleave(
        lambda file, first_row: _records(file) if split.is_whole else _own_records(file, first_row, is_own),
        cycle_length=_FILES_AT_ONCE,
        block_length=1,
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    buffer = _rows_in(_SHUFFLE_BUFFER, split.spec)
    return mixed.shuffle(buffer, seed=seed + split.shard.number * _SEEDS_OF_A_WORKER, reshuffle_each_iteration=False)


def _parsed(batches: tf.data.Dataset, spec: FeatureSpec, parsed_label: ParsedLabel) -> tf.data.Dataset:
    """(inputs by name, label) of batches of serialized examples."""

    def parse(serialized: tf.Tensor) -> tuple[Inputs, tf.Tensor]:
        row = tf.io.parse_example(serialized, spec)
        label = parsed_label(row.pop(names.LABEL))
        return row, label

    return batches.map(parse, num_parallel_calls=tf.data.AUTOTUNE)


def _own_parsed(batches: tf.data.Dataset, spec: FeatureSpec, parsed_label: ParsedLabel, shard: Shard, is_known: IsKnown) -> tf.data.Dataset:
    """(inputs by name of the shard's rows, labels of all rows) of batches of serialized examples: only a label is parsed of the others'."""
    inputs = {name: feature for name, feature in spec.items() if name != names.LABEL}

    def with_label(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return serialized, _label(serialized, spec, parsed_label)

    def own(before: tf.Tensor, part: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
        serialized, label = part
        known = is_known(label)
        return before + tf.math.count_nonzero(known), (tf.boolean_mask(serialized, shard.among(known, before)), label)

    labelled = batches.map(with_label, num_parallel_calls=tf.data.AUTOTUNE).scan(tf.constant(0, tf.int64), own)
    return labelled.map(lambda serialized, label: (tf.io.parse_example(serialized, inputs), label), num_parallel_calls=tf.data.AUTOTUNE)


def _label(serialized: tf.Tensor, spec: FeatureSpec, parsed_label: ParsedLabel) -> tf.Tensor:
    """The labels alone, of serialized examples."""
    return parsed_label(tf.io.parse_example(serialized, {names.LABEL: spec[names.LABEL]})[names.LABEL])


def _kept(files: list[str], spec: FeatureSpec, config: TrainerConfig, parts: tf.data.Dataset) -> Rows | None:
    """The rows of `parts`, in memory or on the disk as `config.cache` and the room there say, or None where there is none."""
    memory = {"memory": float("inf"), "none": 0.0}.get(config.cache, free_memory() * _SHARE_OF_FREE_MEMORY)
    disk = shutil.disk_usage(tempfile.gettempdir()).free * _SHARE_OF_FREE_DISK
    rows = keep_rows(parts.prefetch(_PREFETCH), memory, disk)
    if rows is None:
        _log.warning(
            "The examples of %s fit neither the memory nor half of the free disk in %s. They are shuffled %d at a time, "
            "from up to %d files: data that is sorted by class may train worse.",
            files[0],
            tempfile.gettempdir(),
            _rows_in(_SHUFFLE_BUFFER, spec),
            _FILES_AT_ONCE,
        )
    return rows


def _rows_in(size: int, spec: FeatureSpec) -> int:
    """How many rows have so many bytes of inputs; at least one."""
    row = sum(math.prod(feature.shape) * feature.dtype.size for name, feature in spec.items() if name != names.LABEL)
    return max(1, size // row)


def _labels(files: list[str], spec: FeatureSpec, parsed_label: ParsedLabel) -> tuple[tf.Tensor, tf.Tensor]:
    """All labels, from one pass that looks at nothing else, and the number of each file's first row, int64 (files,)."""

    def of_file(number: tf.Tensor, file: tf.Tensor) -> tf.data.Dataset:
        return _records(file).batch(_rows_in(_PARSED, spec)).map(lambda serialized: (number, _label(serialized, spec, parsed_label)))

    parts = tf.data.Dataset.from_tensor_slices(files).enumerate().flat_map(of_file)
    label = parts.element_spec[1]
    rows, labels = np.zeros(len(files), np.int64), [tf.zeros((0, *label.shape[1:]), label.dtype)]
    for number, part in parts:
        rows[int(number)] += int(part.shape[0])
        labels.append(part)
    return tf.concat(labels, 0), tf.constant(np.cumsum(rows) - rows)


def _batches(rows: Rows, order: tf.Tensor, first: tf.Tensor | int, steps: int, size: int, as_taken: _AsTaken) -> tf.data.Dataset:
    """The rows that the numbers in `order` name, `size` at a time, from the batch `first` on; behind the last row batches are empty.

    In one `map`: a second one costs a small model's step some 3 % in tf.data's own work.
    """

    def batch(step: tf.Tensor) -> tuple[tf.Tensor | Inputs, Any]:
        numbers = order[step * size : (step + 1) * size]
        return as_taken(rows.inputs(numbers), tf.gather(rows.labels, numbers))

    return tf.data.Dataset.range(first, steps).map(batch)


def _as_taken(config: TrainerConfig, task: Task) -> _AsTaken:
    """What makes of a batch's inputs by name, and its labels, what the model and its loss take."""
    whole = config.strategy == "tpu"  # whose shapes are fixed

    def taken(inputs: Inputs, label: tf.Tensor) -> tuple[tf.Tensor | Inputs, Any]:
        own, targets = names.model_inputs(inputs), task.targets(label, config)
        if names.WEIGHT in inputs:
            targets = row_weights.packed(targets, inputs[names.WEIGHT])
        return only_or_all(own if whole else trimmed(own)), targets

    return taken


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
