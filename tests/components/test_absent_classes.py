"""A class without a row in the train split is named; nobody else is."""

import pytest
import tensorflow as tf

from components import absent_classes
from tests.problems import of_pictures
from trainer.features import names


@pytest.fixture
def examples(tmp_path):
    """examples(*labels): a folder with a shard of a row for each label."""

    def write(*labels):
        with tf.io.TFRecordWriter(str(tmp_path / "data.gz"), "GZIP") as file:
            for label in labels:
                value = tf.train.Feature(int64_list=tf.train.Int64List(value=[label]))
                file.write(tf.train.Example(features=tf.train.Features(feature={names.IMAGE_LABEL: value})).SerializeToString())
        return str(tmp_path)

    return write


def test_where_every_class_has_a_row_there_is_nothing_to_say(examples):
    assert absent_classes.line(examples(2, 0, 1), of_pictures(3)) is None


def test_a_class_without_rows_is_named(examples):
    expected = "the train split has no rows of class 1: the model cannot have learned it."
    assert absent_classes.line(examples(0, 2, 2), of_pictures(3)) == expected


def test_of_many_classes_ten_are_named_and_the_others_counted(examples):
    line = absent_classes.line(examples(0), of_pictures(100_000))
    assert line.startswith("the train split has no rows of classes 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 99,989 more")
