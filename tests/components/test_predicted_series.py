"""Predictions for tables where the model takes series: a table of points is joined as the data was, and lists are taken as they are."""

import json

import pyarrow as pa
import pytest
from pyarrow import parquet

from components.batch_predict import predict
from pipeline.runs.beam_args import IN_MEMORY
from trainer.errors import ConfigError
from trainer.problem import FILE, Joined, Problem
from trainer.tasks import Regression

JOINED = Joined(key=("shop",), time="day", length=3, of={"past": "sold"}, before={"past": 1})


@pytest.fixture(scope="session")
def series_model(tmp_path_factory):
    """Called with Joined or None: the folder of a model that answers the sum of the known numbers, and -1 without any."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, "past")], autograph=False)
    def predict_columns(past):
        known = tf.logical_not(tf.math.is_nan(past))
        return {"values": tf.where(tf.reduce_any(known, axis=1), tf.reduce_sum(tf.where(known, past, 0.0), axis=1), -1.0)}

    def make(joined):
        folder = tmp_path_factory.mktemp("series") / "1"
        module = tf.Module()
        module.predict = predict_columns
        tf.saved_model.save(module, str(folder), signatures={"predict_columns": predict_columns})
        (folder / FILE).parent.mkdir()
        problem = Problem(features={"past": "series"}, joined=joined, label="sold", task=Regression())
        (folder / FILE).write_text(problem.to_json(), encoding="utf-8")
        return folder

    return make


def answers(model, place, tmp_path):
    """(the value by line, why lines were refused)."""
    output, errors = tmp_path / "out.jsonl", tmp_path / "errors.jsonl"
    predict(model, str(place), output, errors, IN_MEMORY)
    rows = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    refused = [json.loads(line) for line in errors.read_text("utf-8").splitlines()] if errors.exists() else []
    return {row["line"]: row["value"] for row in rows}, {each["line"]: each["reason"] for each in refused}


def test_a_table_of_points_is_joined_in_its_own_order_and_a_row_without_a_place_is_refused(series_model, tmp_path):
    (tmp_path / "t.csv").write_text("day,shop,sold\n3,a,\n1,a,10\n2,a,20\n1,b,7\n,a,9\n2,b,\n2,,5\n", encoding="utf-8")
    values, refused = answers(series_model(JOINED), tmp_path / "t.csv", tmp_path)
    assert values == {2: 30.0, 3: -1.0, 4: 10.0, 5: -1.0, 7: 7.0}
    assert refused == {
        6: "column 'day': no value, and so no place in a series",
        8: "column 'shop': no value, and so no place in a series",
    }


@pytest.mark.parametrize("joined", [JOINED, None], ids=["learnt from a table", "learnt from lists"])
@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_lists_are_taken_as_they_are(series_model, tmp_path, joined, kind):
    rows = [[1.0, 2.0], [], None, [None, 4.0, 5.0, 6.0]]
    path = tmp_path / f"t.{kind}"
    if kind == "jsonl":
        path.write_text("".join(json.dumps({"past": each}) + "\n" for each in rows), encoding="utf-8")
    else:
        parquet.write_table(pa.table({"past": rows, "n": range(len(rows))}), path)
    values, refused = answers(series_model(joined), path, tmp_path)
    assert (values, refused) == ({1: 3.0, 2: -1.0, 3: -1.0, 4: 15.0}, {})


def test_csv_for_a_model_that_has_learnt_from_lists_is_refused_in_one_line(series_model, tmp_path):
    (tmp_path / "t.csv").write_text("past\n1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"^Expected lists of numbers for 'past', .* CSV has no lists\. Write JSON lines or Parquet\.$"):
        answers(series_model(None), tmp_path / "t.csv", tmp_path)
