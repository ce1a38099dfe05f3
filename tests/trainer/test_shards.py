"""Which rows each of several workers keeps and trains on; no worker is started."""

import contextlib

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.test_input_pipeline import ONE_PIXEL, write_rows
from trainer.config import TrainerConfig
from trainer.errors import DataError
from trainer.features import names
from trainer.input_pipeline import Position, eval_batches, read_split, train_batches
from trainer.shards import Shard
from trainer.tasks import Multiclass, Multilabel

NAMED = Multiclass(classes=10, names=tuple("abcdefghij"))  # a label of -1 is none of them
CONFIG = {"epochs": 2, "batch_size": 12, "seed": 7}


def shards(count):
    return [Shard(number, count) for number in range(count)]


@pytest.fixture
def place(request, monkeypatch):
    """Where rows are kept, as a value of `trainer.cache`: `nowhere` is a disk without room."""
    if request.param == "nowhere":
        monkeypatch.setattr("trainer.input_pipeline._SHARE_OF_FREE_DISK", 0.0)
        monkeypatch.setattr("trainer.input_pipeline._SHUFFLE_BUFFER", 40)  # 10 rows
    return "memory" if request.param == "memory" else "none"


KEPT_OR_NOT = pytest.mark.parametrize("place", ["memory", "nowhere"], indirect=True)


def read(folder, shard, config, task=NAMED, spec=ONE_PIXEL):
    return read_split([f"{folder}/*"], spec, config, task.parsed_label, shard, task.is_known)


def read_by_all(folder, count, config):
    return [read(folder, shard, config) for shard in shards(count)]


def batches_of(make, splits, config, *begin):
    """Each worker's batches, as Batches and as a list of the rows' numbers of each batch."""
    made = [make(split, config, NAMED, *begin) for split in splits]
    return made, [[x.ravel().astype(int).tolist() for x, _ in each.dataset.as_numpy_iterator()] for each in made]


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_a_worker_keeps_the_inputs_of_its_own_rows_alone_and_has_the_labels_of_all(tmp_path, monkeypatch, cache):
    monkeypatch.setattr("trainer.input_pipeline._PARSED", 20)  # 5 rows: a worker's number goes on from one part to the next
    labels = np.arange(23) % 10
    write_rows(tmp_path, ONE_PIXEL, labels, 3)
    for shard in shards(3):
        split = read(tmp_path, shard, TrainerConfig(cache=cache))
        own = np.arange(23)[shard.number :: 3]
        np.testing.assert_array_equal(split.labels, labels)
        np.testing.assert_array_equal(split.rows.labels, labels[own])
        np.testing.assert_array_equal(split.rows.inputs(tf.range(len(own), dtype=tf.int64))[names.PIXELS].numpy().ravel(), own)
        with contextlib.suppress(tf.errors.InvalidArgumentError):  # in memory; behind the end of a file there is nothing
            assert not len(split.rows.inputs(tf.constant([len(own)], tf.int64))[names.PIXELS])


def test_of_the_rows_of_other_workers_nothing_but_the_label_is_parsed(tmp_path):
    with tf.io.TFRecordWriter(str(tmp_path / "rows.gz"), "GZIP") as file:
        for number in range(10):
            row = tf.train.Example()
            row.features.feature[names.LABEL].int64_list.value.append(number)
            row.features.feature[names.PIXELS].float_list.value.extend([float(number)] * (1 if number % 2 else 2))  # too many
            file.write(row.SerializeToString())
    assert len(read(tmp_path, Shard(1, 2), TrainerConfig()).rows.labels) == 5
    with pytest.raises(tf.errors.InvalidArgumentError, match="pixels"):
        read(tmp_path, Shard(0, 2), TrainerConfig())


EMPTY_LAST = np.arange(37) % 10, 2  # of the last batch's one row the second worker has none
UNKNOWN = np.where(np.arange(50) % 2, np.arange(50) % 10, -1), 2  # all known rows would be one worker's, if it had every second one


@pytest.mark.parametrize(
    ("place", "labels", "count"),
    [
        ("memory", np.arange(38) % 10, 3),
        ("memory", *EMPTY_LAST),
        ("nowhere", *EMPTY_LAST),
        ("memory", *UNKNOWN),
        ("nowhere", *UNKNOWN),
    ],
    indirect=["place"],
)
def test_each_row_comes_once_an_epoch_to_one_worker_and_all_have_the_same_steps(tmp_path, place, labels, count):
    write_rows(tmp_path, ONE_PIXEL, labels, 4)
    known = np.flatnonzero(labels >= 0)
    steps, local = -(-len(known) // 12), 12 // count
    config = TrainerConfig(**CONFIG, cache=place)
    splits = read_by_all(tmp_path, count, config)
    for make, epochs in ((train_batches, 2), (eval_batches, 1)):
        made, numbers = batches_of(make, splits, config)
        assert {(each.steps, each.examples) for each in made} == {(steps, len(known))}
        for epoch in range(epochs):
            parts = [each[epoch * steps : (epoch + 1) * steps] for each in numbers]
            assert sorted(row for part in parts for batch in part for row in batch) == known.tolist()
            assert {len(batch) for part in parts for batch in part[:-1]} <= {local}
            last = [len(part[-1]) for part in parts]
            assert max(last) - min(last) <= 1  # as even as the rows of a batch on one machine
        assert {len(each) for each in numbers} == {epochs * steps}


@KEPT_OR_NOT
def test_a_training_that_goes_on_has_the_rows_that_would_have_come(tmp_path, place):
    write_rows(tmp_path, ONE_PIXEL, np.arange(43) % 10, 4)
    config = TrainerConfig(**CONFIG, cache=place)
    splits = read_by_all(tmp_path, 2, config)
    _, whole = batches_of(train_batches, splits, config)
    _, rest = batches_of(train_batches, splits, config, Position(0, 3))
    assert rest == [each[3:] for each in whole]


def test_kept_rows_come_in_the_order_that_is_a_function_of_rows_seed_epoch_and_worker(tmp_path):
    write_rows(tmp_path, ONE_PIXEL, np.arange(43) % 10, 2)
    config = TrainerConfig(**CONFIG, cache="memory")
    _, numbers = batches_of(train_batches, read_by_all(tmp_path, 2, config), config)
    for shard, batches in zip(shards(2), numbers, strict=True):
        own = np.arange(43)[shard.number :: 2]
        expected = np.concatenate([own[shard.order(43, 7, epoch)] for epoch in range(2)])
        assert [row for batch in batches for row in batch] == expected.tolist()


def test_orders_differ_between_workers_epochs_and_seeds():
    orders = [shard.order(100, seed, epoch).numpy().tolist() for shard in shards(2) for seed in (1, 2) for epoch in (0, 1)]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 8


def test_one_worker_has_the_order_that_one_process_always_had():
    expected = tf.random.experimental.stateless_shuffle(tf.range(20), seed=tf.constant([7, 3], tf.int64))
    np.testing.assert_array_equal(Shard().order(20, 7, 3), expected)


@KEPT_OR_NOT
def test_eval_keeps_the_files_order_and_the_whole_of_it_can_be_had_again(tmp_path, place):
    write_rows(tmp_path, ONE_PIXEL, np.arange(-1, 36) % 11 - 1, 4)
    config = TrainerConfig(**CONFIG, cache=place)
    splits = read_by_all(tmp_path, 2, config)
    _, (first, second) = batches_of(eval_batches, splits, config)
    known = [row for row in range(37) if (row - 1) % 11 != 0]
    assert [row for batch in first for row in batch] == known[::2]
    assert [row for batch in second for row in batch] == known[1::2]
    whole = eval_batches(splits[1].whole(), config, NAMED)
    assert np.concatenate([x.ravel() for x, _ in whole.dataset.as_numpy_iterator()]).astype(int).tolist() == known


@KEPT_OR_NOT
def test_lists_of_labels_are_shared_too_also_where_a_batch_is_empty(tmp_path, place):
    task = Multilabel(names=("a", "b", "c"))
    spec = ONE_PIXEL | {names.LABEL: tf.io.VarLenFeature(tf.int64)}
    with tf.io.TFRecordWriter(str(tmp_path / "rows.gz"), "GZIP") as file:
        for number in range(13):
            row = tf.train.Example()
            row.features.feature[names.LABEL].int64_list.value.extend(range(number % 4))
            row.features.feature[names.PIXELS].float_list.value.append(float(number))
            file.write(row.SerializeToString())
    config = TrainerConfig(**CONFIG, cache=place)
    seen = []
    for shard in shards(2):
        batches = list(eval_batches(read(tmp_path, shard, config, task, spec), config, task).dataset.as_numpy_iterator())
        assert [len(y) for _, y in batches] == [6, 1 - shard.number]
        seen += [(int(pixel), label.sum()) for x, y in batches for pixel, label in zip(x.ravel(), y, strict=True)]
    assert sorted(seen) == [(number, number % 4) for number in range(13)]


def test_a_label_that_is_no_class_is_refused_by_every_worker(tmp_path):
    write_rows(tmp_path, ONE_PIXEL, np.array([0, 1, 2, 12]), 2)
    task = Multiclass(classes=10)
    config = TrainerConfig()
    for shard in shards(2):
        with pytest.raises(DataError, match=r"Received labels from 0 to 12 in "):
            train_batches(read(tmp_path, shard, config, task), config, task)
