"""Several classes with names: their numbers, and what becomes of a name that the train split does not have."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.config import TrainerConfig
from trainer.errors import DataError
from trainer.input_pipeline import eval_batches, read_split, train_batches
from trainer.tasks import Multiclass

CONFIG = TrainerConfig(epochs=1, batch_size=4)


@pytest.fixture(scope="module")
def task(weather):
    return Multiclass().resolved(weather.graph)


def rows_in(batches):
    return [label for _, labels in batches.dataset for label in labels.numpy().tolist()]


def test_the_classes_are_the_train_splits_the_most_frequent_first(task, weather, labels_of):
    assert (task.classes, task.names) == (3, ("晴", "曇", "雨, 強い"))
    assert labels_of(weather, ["雨, 強い", "晴", "雪", "曇"]) == [2, 0, -1, 1]


def test_what_is_served_is_the_most_probable_classs_name_with_all_names_beside_the_probabilities(task):
    logits = tf.constant([[0.0, 2.0, 0.0], [5.0, 0.0, 0.0]])
    served = {name: value.numpy() for name, value in task.served(task.activated(logits)).items()}
    assert [name.decode() for name in served["classes"]] == ["曇", "晴"]
    assert [[name.decode() for name in row] for row in served["class_names"]] == [["晴", "曇", "雨, 強い"]] * 2
    np.testing.assert_allclose(served["probabilities"][0], np.exp([0, 2, 0]) / np.exp([0, 2, 0]).sum(), rtol=1e-6)


@pytest.mark.parametrize("kept", [True, False])
def test_a_label_that_the_train_split_does_not_have_is_left_out_of_training(task, weather, kept, caplog):
    spec = weather.graph.transformed_feature_spec()
    with caplog.at_level("WARNING"):
        split = read_split(weather.files("eval"), spec, CONFIG)
        split = split if kept else split._replace(rows=None)  # as where neither memory nor disk has room
        batches = eval_batches(split, CONFIG, task)
    assert batches.examples == 3
    assert sorted(rows_in(batches)) == [0, 1, 2]
    assert "2 rows" in caplog.text
    trained = train_batches(split, CONFIG, task)
    assert sorted(rows_in(trained)) == [0, 1, 2]


def test_a_split_of_such_labels_alone_is_refused(task, weather):
    split = read_split(weather.files("eval"), weather.graph.transformed_feature_spec(), CONFIG)
    split = split._replace(labels=tf.fill(split.labels.shape, tf.constant(-1, tf.int64)))
    with pytest.raises(DataError, match=r"^Expected rows with a label that the train split has in .* Received none\.$"):
        eval_batches(split, CONFIG, task)


def test_one_class_alone_is_refused_by_its_name(sunshine):
    with pytest.raises(DataError, match=r"Received: 1 \('晴'\)\. Give rows of other classes too, or another `label`\.$"):
        Multiclass().resolved(sunshine.graph)
