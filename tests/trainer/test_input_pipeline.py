"""Batches out of Transform's artifacts, in memory and streamed."""

import functools
import re

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from tests.trainer.conftest import ROWS
from trainer.config import TrainerConfig
from trainer.errors import DataError
from trainer.features import names
from trainer.free_memory import free_memory
from trainer.input_pipeline import eval_batches, read_split, train_batches
from trainer.tasks import Multiclass

DIGITS = Multiclass(classes=10)


def of_digits(batches, patterns, spec, config):
    return batches(read_split(patterns, spec, config), config, DIGITS)


CACHES = ("memory", "auto", "none")


def make(artifacts, split, **settings):
    spec = tft.TFTransformOutput(artifacts.graph_path).transformed_feature_spec()
    batches, classes = (train_batches, eval_batches)[split == "eval"], settings.pop("classes", 10)
    config = TrainerConfig(**{"batch_size": 64, "epochs": 2, **settings})
    return batches(read_split(artifacts.files(split), spec, config), config, Multiclass(classes=classes))


def rows_of(batches):
    """(pixels, labels) of all batches one after the other."""
    return tuple(np.concatenate(part) for part in zip(*batches.dataset.as_numpy_iterator(), strict=True))


def sorted_rows(pixels, labels):
    levels = np.round(pixels * 255).astype(int)
    return sorted((*row.ravel().tolist(), label) for row, label in zip(levels, labels, strict=True))


def raw_rows(artifacts, split):
    return sorted_rows(artifacts.images[ROWS[split]] / 255, artifacts.labels[ROWS[split]])


@pytest.mark.parametrize("cache", CACHES)
def test_every_epoch_has_every_example_once_in_a_new_order(scaled, cache):
    batches = make(scaled, "train", cache=cache)
    pixels, labels = rows_of(batches)
    expected = raw_rows(scaled, "train")
    assert (batches.examples, batches.steps, len(labels)) == (299, 5, 2 * 299)
    assert sorted_rows(pixels[:299], labels[:299]) == expected
    assert sorted_rows(pixels[299:], labels[299:]) == expected
    assert not np.array_equal(labels[:299], labels[299:])


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize("split", ["train", "eval"])
def test_on_a_tpu_every_batch_has_one_shape_which_is_known_beforehand(scaled, split, cache):
    batches = make(scaled, split, cache=cache, strategy="tpu", batch_size=16)
    sizes = {len(label) for _, label in batches.dataset.as_numpy_iterator()}
    assert sizes == {16} and batches.dataset.element_spec[0].shape[0] == 16
    assert batches.steps * 16 == batches.examples
    assert batches.steps * {"train": 2, "eval": 1}[split] == len(list(batches.dataset))


@pytest.mark.parametrize("cache", CACHES)
def test_the_seed_alone_decides_the_order(scaled, cache):
    first, again, other = (rows_of(make(scaled, "train", cache=cache, seed=seed))[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("cache", CACHES)
def test_eval_sees_every_example_once(scaled, cache):
    batches = make(scaled, "eval", cache=cache)
    assert (batches.examples, batches.steps, int(batches.dataset.cardinality())) == (101, 2, 2)
    assert sorted_rows(*rows_of(batches)) == raw_rows(scaled, "eval")


@pytest.fixture
def limited(tmp_path, monkeypatch):
    """limited(bytes): the process is in a container that leaves it so many."""

    def limit(left):
        tree = {
            "proc/self/cgroup": "0::/",
            "sys/fs/cgroup/memory.max": left + 1000,
            "sys/fs/cgroup/memory.current": 1000,
            "sys/fs/cgroup/memory.stat": "",
        }
        for name, content in tree.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(f"{content}\n")
        monkeypatch.setattr("trainer.input_pipeline.free_memory", functools.partial(free_memory, tmp_path))

    return limit


@pytest.mark.parametrize(("less", "place"), [(1, "in a file in "), (0, "in memory")])
@pytest.mark.parametrize(("how", "values"), [("scaled", 8 * 8), ("standardized", 8 * 8 * 3)])
def test_auto_keeps_in_memory_what_fits_a_quarter_of_what_the_container_may_still_take(request, limited, caplog, how, values, less, place):
    artifacts = request.getfixturevalue(how)
    limited(4 * 299 * values - less)  # a byte a value
    with caplog.at_level("INFO", "trainer.input_pipeline"):
        make(artifacts, "train", cache="auto")
    (line,) = [record.getMessage() for record in caplog.records if record.name == "trainer.input_pipeline"]
    assert re.fullmatch(rf"299 examples of .*Split-train.*gz: {place}.*", line)


def write_rows(folder, spec, labels, shards):
    """Transformed examples of one pixel, the row's number, in `shards` files one after the other."""
    for shard, numbers in enumerate(np.array_split(np.arange(len(labels)), shards)):
        with tf.io.TFRecordWriter(str(folder / f"rows-{shard:03d}.gz"), "GZIP") as file:
            for number in numbers:
                pixel = tf.train.Feature(float_list=tf.train.FloatList(value=[float(number)]))
                label = tf.train.Feature(int64_list=tf.train.Int64List(value=[labels[number]]))
                example = tf.train.Example(features=tf.train.Features(feature={names.PIXELS: pixel, names.LABEL: label}))
                file.write(example.SerializeToString())


ONE_PIXEL = {
    names.PIXELS: tf.io.FixedLenFeature((1, 1, 1), tf.float32),
    names.LABEL: tf.io.FixedLenFeature((), tf.int64),
}
SORTED = np.repeat(np.arange(10), 400)


@pytest.mark.parametrize("shards", [1, 7])
def test_data_sorted_by_class_is_mixed_alike_in_memory_and_on_disk(tmp_path, monkeypatch, shards):
    write_rows(tmp_path, ONE_PIXEL, SORTED, shards)
    monkeypatch.setattr("trainer.input_pipeline._SHUFFLE_BUFFER", 4)  # one row: what is kept needs no buffer
    memory, disk = (
        of_digits(train_batches, [f"{tmp_path}/*"], ONE_PIXEL, TrainerConfig(epochs=2, batch_size=100, cache=cache))
        for cache in ("memory", "none")
    )
    for (pixels, labels), (disk_pixels, disk_labels) in zip(memory.dataset, disk.dataset, strict=True):
        np.testing.assert_array_equal(pixels, disk_pixels)
        np.testing.assert_array_equal(labels, disk_labels)
        np.testing.assert_array_equal(SORTED[pixels.numpy().astype(int).ravel()], labels)
        assert len(np.unique(labels)) == 10


def test_without_room_on_the_disk_files_and_a_buffer_of_stated_size_mix_the_rows(tmp_path, monkeypatch, caplog):
    write_rows(tmp_path, ONE_PIXEL, SORTED, 20)
    monkeypatch.setattr("trainer.input_pipeline._SHARE_OF_FREE_DISK", 0.0)
    monkeypatch.setattr("trainer.input_pipeline._SHUFFLE_BUFFER", 1600)
    first, again = (
        of_digits(train_batches, [f"{tmp_path}/*"], ONE_PIXEL, TrainerConfig(epochs=2, batch_size=100, cache="none")) for _ in range(2)
    )
    assert re.search(r"rows-000\.gz fit neither .* shuffled 400 at a time, from up to 16 files: data that is sorted", caplog.messages[0])
    pixels, labels = rows_of(first)
    np.testing.assert_array_equal(pixels, rows_of(again)[0])
    for epoch in (pixels[:4000], pixels[4000:]):
        np.testing.assert_array_equal(np.sort(epoch.ravel()), np.arange(4000))
    assert min(len(np.unique(batch)) for batch in labels[:2000].reshape(-1, 100)) >= 5  # the first half of an epoch, while files last
    assert not np.array_equal(pixels[:4000], pixels[4000:])


def test_without_room_on_the_disk_eval_sees_every_example_once_in_the_files_order(tmp_path, monkeypatch):
    write_rows(tmp_path, ONE_PIXEL, SORTED, 20)
    monkeypatch.setattr("trainer.input_pipeline._SHARE_OF_FREE_DISK", 0.0)
    batches = of_digits(eval_batches, [f"{tmp_path}/*"], ONE_PIXEL, TrainerConfig(batch_size=300, cache="none"))
    assert (batches.examples, batches.steps, int(batches.dataset.cardinality())) == (4000, 14, 14)
    np.testing.assert_array_equal(rows_of(batches)[0].ravel(), np.arange(4000))


def test_labels_come_one_hot_encoded_where_the_loss_wants_them_so(scaled):
    _, labels = rows_of(make(scaled, "eval", loss="categorical_crossentropy"))
    np.testing.assert_array_equal(labels.sum(axis=1), np.ones(101))
    np.testing.assert_array_equal(np.sort(labels.argmax(axis=1)), np.sort(scaled.labels[ROWS["eval"]]))


@pytest.fixture(params=["memory", "disk", "neither"])
def cache(request, monkeypatch):
    """The setting, where there is room in memory, on the disk alone, or in neither."""
    if request.param == "neither":
        monkeypatch.setattr("trainer.input_pipeline._SHARE_OF_FREE_DISK", 0.0)
    return "memory" if request.param == "memory" else "none"


def test_a_label_that_is_no_class_is_refused(scaled, cache):
    with pytest.raises(DataError, match=r"Expected labels from 0 to 4, .* Received labels from 0 to 9 in .*Set `trainer.classes: 10` if"):
        make(scaled, "train", cache=cache, classes=5)


def test_a_label_below_0_is_refused(tmp_path, cache):
    write_rows(tmp_path, ONE_PIXEL, np.arange(-1, 3), 2)
    with pytest.raises(DataError, match=r"Expected labels from 0 to 9, .* Received labels from -1 to 2 in .*Number the classes from 0\.$"):
        of_digits(eval_batches, [f"{tmp_path}/*"], ONE_PIXEL, TrainerConfig(cache=cache))


def test_files_that_are_not_there_are_refused_by_name(scaled, tmp_path):
    spec = tft.TFTransformOutput(scaled.graph_path).transformed_feature_spec()
    with pytest.raises(DataError, match=rf"Expected files of transformed examples at {tmp_path}/nothing-\*\. Received no match"):
        of_digits(train_batches, [f"{tmp_path}/nothing-*"], spec, TrainerConfig())


def test_a_split_without_examples_is_refused(scaled, tmp_path, cache):
    with tf.io.TFRecordWriter(str(tmp_path / "empty.gz"), "GZIP"):
        pass
    spec = tft.TFTransformOutput(scaled.graph_path).transformed_feature_spec()
    with pytest.raises(DataError, match=r"Expected examples in .*empty\.gz\. Received none"):
        of_digits(eval_batches, [str(tmp_path / "*")], spec, TrainerConfig(cache=cache))
