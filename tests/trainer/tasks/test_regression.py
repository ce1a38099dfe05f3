"""Numbers: learnt in standard deviations, answered in their own units."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.config import TrainerConfig
from trainer.errors import DataError
from trainer.input_pipeline import read_split, train_batches
from trainer.tasks import Regression

PRICES = [120_000.0, 95_500.0, 310_000.0, None, 87_250.0, 500_001.0]
KNOWN = np.asarray([price for price in PRICES if price is not None])
CONFIG = TrainerConfig(epochs=1, batch_size=4)


@pytest.fixture(scope="module")
def split(learn):
    table = learn(Regression(), PRICES, [100.0])
    return read_split(table.files("train"), table.graph.transformed_feature_spec(), CONFIG)


@pytest.fixture(scope="module")
def task(split):
    return Regression().fitted(split.labels)


def test_the_mean_and_the_deviation_are_those_of_the_train_splits_known_labels(task):
    assert task.mean == pytest.approx(KNOWN.mean())
    assert task.deviation == pytest.approx(KNOWN.std())


def test_the_loss_gets_standard_deviations_and_a_row_without_a_label_is_left_out(split, task):
    targets = np.concatenate([labels for _, labels in train_batches(split, CONFIG, task).dataset.as_numpy_iterator()])
    np.testing.assert_allclose(np.sort(targets), np.sort((KNOWN - KNOWN.mean()) / KNOWN.std()), rtol=1e-5)


def test_what_is_served_is_in_the_labels_own_units(task):
    targets = task.targets(tf.constant(KNOWN, tf.float32), CONFIG)
    np.testing.assert_allclose(task.served(targets[:, tf.newaxis])["values"], KNOWN, rtol=1e-6)


def test_labels_that_are_all_the_same_are_refused():
    with pytest.raises(DataError, match=r"^Expected labels that differ in the train split\. Received: 7 in all of 3 rows\."):
        Regression().fitted(tf.constant([7.0, 7.0, float("nan"), 7.0]))
