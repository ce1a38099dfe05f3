"""Batches out of Transform's artifacts, in memory and streamed."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from tests.trainer.conftest import ROWS
from trainer.config import TrainerConfig
from trainer.errors import DataError
from trainer.input_pipeline import eval_batches, train_batches

CACHES = ("memory", "auto", "none")


def make(artifacts, split, **settings):
    spec = tft.TFTransformOutput(artifacts.graph_path).transformed_feature_spec()
    batches, one_hot = (train_batches, eval_batches)[split == "eval"], settings.pop("one_hot", False)
    return batches(artifacts.files(split), spec, TrainerConfig(**{"batch_size": 64, "epochs": 2, **settings}), one_hot)


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


def test_auto_streams_what_does_not_fit_into_a_quarter_of_the_free_memory(scaled, monkeypatch):
    class AlmostFull:
        available = 4 * 299 * 8 * 8 * 4 - 1

    monkeypatch.setattr("trainer.input_pipeline.psutil.virtual_memory", lambda: AlmostFull)
    streamed = rows_of(make(scaled, "train", cache="none"))[0]
    np.testing.assert_array_equal(rows_of(make(scaled, "train", cache="auto"))[0], streamed)
    assert not np.array_equal(rows_of(make(scaled, "train", cache="memory"))[0], streamed)


def test_labels_come_one_hot_encoded_where_the_loss_wants_them_so(scaled):
    _, labels = rows_of(make(scaled, "eval", one_hot=True))
    np.testing.assert_array_equal(labels.sum(axis=1), np.ones(101))
    np.testing.assert_array_equal(np.sort(labels.argmax(axis=1)), np.sort(scaled.labels[ROWS["eval"]]))


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_a_label_that_is_no_class_is_refused(scaled, cache):
    with pytest.raises(DataError, match=r"Expected labels from 0 to 4, .* Received labels from 0 to 9 in .*Set `trainer.classes: 10` if"):
        make(scaled, "train", cache=cache, classes=5)


def test_files_that_are_not_there_are_refused_by_name(scaled, tmp_path):
    spec = tft.TFTransformOutput(scaled.graph_path).transformed_feature_spec()
    with pytest.raises(DataError, match=rf"Expected files of transformed examples at {tmp_path}/nothing-\*\. Received no match"):
        train_batches([f"{tmp_path}/nothing-*"], spec, TrainerConfig())


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_a_split_without_examples_is_refused(scaled, tmp_path, cache):
    with tf.io.TFRecordWriter(str(tmp_path / "empty.gz"), "GZIP"):
        pass
    spec = tft.TFTransformOutput(scaled.graph_path).transformed_feature_spec()
    with pytest.raises(DataError, match=r"Expected examples in .*empty\.gz\. Received none"):
        eval_batches([str(tmp_path / "*")], spec, TrainerConfig(cache=cache))
