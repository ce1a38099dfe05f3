"""The bound that a linear model sets: measured on the same rows as the model, and with room for chance."""

import numpy as np
import pytest
import tensorflow as tf

from components import linear_baseline
from components.config import BoundConfig
from trainer.problem import Problem
from trainer.tasks import Regression

LOSS = BoundConfig(metric="log_loss", max=2.0)  # what is reached without a feature
RMSE = BoundConfig(metric="rmse", max=20.0)
PROBLEM = Problem(features={"x": "number"}, label="y", task=Regression())


class _Twice(tf.Module):
    """Answers twice a row's `x`, off by `off`."""

    def __init__(self, off):
        super().__init__()
        self.off = off

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def answer(self, examples):
        return {"values": 2.0 * self.transform_examples(examples)["numbers"][:, 0] + self.off}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def transform_examples(self, examples):
        return {"numbers": tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.float32)})["x"]}


def write(folder, rows):
    """The rows (x, y) as gzipped TFRecords."""
    tf.io.gfile.makedirs(str(folder))
    with tf.io.TFRecordWriter(f"{folder}/data.gz", "GZIP") as file:
        for x, y in rows:
            features = {
                name: tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
                for name, value in (("x", x), ("y", y))
                if value == value
            }
            file.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    return str(folder)


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    """The folders of train and test: y is 2 x, off by a normal 1; one test row has no y."""
    random = np.random.default_rng(0)
    x = random.normal(0, 10, 600)
    rows = list(zip(x.tolist(), (2 * x + random.normal(0, 1, 600)).tolist(), strict=True))
    folder = tmp_path_factory.mktemp("splits")
    return write(folder / "train", rows[:400]), write(folder / "test", [*rows[400:], (1.0, float("nan"))])


@pytest.fixture(scope="module")
def floor(splits, tmp_path_factory):
    """floor(off): the bound for a model that is off by so much, loaded as it is saved."""

    def made(off):
        folder = str(tmp_path_factory.mktemp("model"))
        module = _Twice(off)
        tf.saved_model.save(module, folder, signatures={"serving_default": module.answer})
        return linear_baseline.floor(PROBLEM, tf.saved_model.load(folder), *splits, RMSE)

    return made


def test_a_model_is_bound_by_the_linear_models_error_and_some_for_chance(floor):
    right = floor(0.0)
    assert right.bound.metric == "rmse"
    assert 0.9 < right.bound.max < 1.2
    assert right.origin.startswith(" (a linear model's ")
    assert floor(3.0).bound.max < 1.5  # a model off by 3 is beyond it, and told so by the gate alone
    assert floor(3.0).note is None


def test_a_model_that_is_no_better_is_not_refused_and_told_so():
    linear = np.random.default_rng(0).random(34)
    found = linear_baseline.compared(linear + 0.01 + np.tile([0.1, -0.1], 17), linear, LOSS)
    assert found.bound.max > (linear + 0.01).mean()
    assert found.note.startswith("a linear model does as well: its log_loss is ")
    assert linear_baseline.compared(linear + 0.01 + np.tile([0.1, -0.1], 17), linear, LOSS.model_copy(update={"max": 0.1})).note is None


def test_a_model_that_is_worse_on_nearly_every_row_is_refused_however_small_the_difference():
    random = np.random.default_rng(0)
    linear = random.random(34)
    own = linear + random.normal(0.02, 0.01, 34)
    found = linear_baseline.compared(own, linear, LOSS)
    assert found.bound.max < own.mean()
    assert found.note is None


def test_chance_counts_in_pairs_so_that_rows_that_are_hard_for_both_do_not_widen_the_bound():
    random = np.random.default_rng(0)
    linear = random.exponential(1.0, 100)
    alike = linear_baseline.compared(linear * 1.01, linear, LOSS)
    unlike = linear_baseline.compared(random.exponential(1.0, 100), linear, LOSS)
    assert alike.bound.max - linear.mean() < 0.01 * (unlike.bound.max - linear.mean()) * 2


def test_pictures_are_compared_with_no_linear_model_and_nor_are_models_that_do_not_say_their_features(splits):
    photos = PROBLEM.model_copy(update={"features": {"x": "number", "photo": "image"}})
    assert linear_baseline.floor(photos, _Twice(0.0), *splits, RMSE) is None
    assert linear_baseline.floor(PROBLEM, tf.Module(), *splits, RMSE) is None


def test_one_row_says_nothing_of_chance():
    assert linear_baseline.compared(np.ones(1), np.zeros(1), LOSS) is None


def test_the_sample_is_the_same_whenever_it_is_taken_in_the_rows_order_and_from_all_of_them():
    def batches():
        return (tf.constant([b"%05d" % row for row in range(start, start + 100)]) for start in range(0, 5000, 100))

    taken = linear_baseline.sample(batches(), 500).numpy().tolist()
    assert len(taken) == 500
    assert taken == sorted(taken)
    assert taken == linear_baseline.sample(batches(), 500).numpy().tolist()
    assert 150 < sum(row < b"02000" for row in taken) < 250  # two fifths of all
    assert len(linear_baseline.sample(batches(), 9000)) == 5000
