"""Features that a model should not be given are told before it is trained, by whomever they were named."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from components import unfit_columns
from components.example_gen import examples
from trainer.problem import Problem
from trainer.tasks import Multiclass, Multilabel, Regression

RANDOM = np.random.default_rng(0)
ROWS = 400
CLASSES = RANDOM.choice(["red", "green", "blue"], ROWS).tolist()
AMOUNTS = RANDOM.normal(size=ROWS).tolist()
HONEST = {
    "size": RANDOM.normal(size=ROWS).tolist(),
    "shop": RANDOM.choice(["north", "south"], ROWS).tolist(),
    "gaps": [value if value > 0 else None for value in RANDOM.normal(size=ROWS)],
    "day": RANDOM.integers(0, 10**9, ROWS).tolist(),
}
KINDS = {"size": "number", "shop": "category", "gaps": "number", "day": "time"}


def told(folder, label, task, columns, kinds):
    """The kind of each anomaly by its feature, and the messages."""
    with tf.io.TFRecordWriter(str(folder / "data_tfrecord-00-00000.gz"), "GZIP") as file:
        for row in examples.encode(pa.RecordBatch.from_pydict({**columns, "y": label})):
            file.write(row)
    found = list(unfit_columns.anomalies(str(folder), "train", Problem(features=kinds, label="y", task=task)))
    assert {anomaly.severity for anomaly in found} <= {"warn"}
    return {anomaly.feature: anomaly.kind for anomaly in found}, [anomaly.message for anomaly in found]


@pytest.mark.parametrize(("label", "task"), [(CLASSES, Multiclass()), (AMOUNTS, Regression())], ids=["classes", "amounts"])
def test_honest_columns_are_not_spoken_of(tmp_path, label, task):
    assert told(tmp_path, label, task, HONEST, KINDS) == ({}, [])


def test_one_value_and_one_in_each_row_and_a_twin_of_the_label_are_named_with_the_reason(tmp_path):
    columns = {
        "constant": ["x"] * ROWS,
        "zero": [0.0] * ROWS,
        "key": [f"{number:06d}" for number in range(ROWS)],
        "twin": [{"red": "r", "green": "g", "blue": "b"}[name] for name in CLASSES],
        "mark": [
            {"red": 1.0, "green": 2.0, "blue": 3.0}[name] + offset for name, offset in zip(CLASSES, RANDOM.random(ROWS) / 9, strict=True)
        ],
    }
    kinds = {"constant": "category", "zero": "number", "key": "category", "twin": "category", "mark": "number"}
    found, messages = told(tmp_path, CLASSES, Multiclass(), HONEST | columns, KINDS | kinds)
    assert found == {"constant": "constant", "zero": "constant", "key": "identifier", "twin": "giveaway", "mark": "giveaway"}
    assert messages[3] == (
        "twin: it gives the label away: each value stands for one of 'y', in train. Take it out of `features`, unless it is known and "
        "helps when a prediction is asked for"
    )


def test_an_amount_in_another_unit_gives_it_away(tmp_path):
    found, _ = told(tmp_path, AMOUNTS, Regression(), HONEST | {"cents": [100 * value for value in AMOUNTS]}, KINDS | {"cents": "number"})
    assert found == {"cents": "giveaway"}


def test_few_rows_show_nothing(tmp_path):
    few = {name: values[:10] for name, values in HONEST.items()}
    assert told(tmp_path, CLASSES[:10], Multiclass(), few | {"zero": [0.0] * 10}, KINDS | {"zero": "number"}) == ({}, [])


def test_a_row_of_several_labels_has_no_twin_and_may_have_a_constant(tmp_path):
    several = [["a"], ["a", "b"]] * (ROWS // 2)
    columns, kinds = HONEST | {"zero": [0.0] * ROWS, "twin": ["a", "ab"] * (ROWS // 2)}, KINDS | {"zero": "number", "twin": "category"}
    assert told(tmp_path, several, Multilabel(), columns, kinds)[0] == {"zero": "constant"}
