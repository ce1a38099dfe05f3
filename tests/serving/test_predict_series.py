"""`tapeline predict` of lists of numbers: rows of different lengths in one request, and what is no list told by its row."""

import json

import pytest

from serving.predict import main


@pytest.fixture(scope="module")
def server(serve_here, tmp_path_factory):
    """A model of `past`, lists of numbers, and `x`, which answers with the sum of the known ones, how many places there are, and x."""
    import tensorflow as tf

    past, x = tf.TensorSpec([None, None], tf.float32, "past"), tf.TensorSpec([None], tf.float32, "x")

    @tf.function(input_signature=[past, x], autograph=False)
    def predict_columns(past, x):
        total = tf.reduce_sum(tf.where(tf.math.is_nan(past), 0.0, past), axis=1)
        last = tf.where(tf.math.is_nan(past[:, -1]), -1.0, past[:, -1])
        return {"total": total, "last": last, "x": tf.identity(x)}

    module = tf.Module()
    module.predict = predict_columns
    base_path = tmp_path_factory.mktemp("series")
    tf.saved_model.save(module, str(base_path / "1"), signatures={"predict_columns": predict_columns})
    return serve_here(base_path).grpc


@pytest.fixture
def run(server, capsys, tmp_path):
    """Called with rows it gives (exit status, answers, stderr)."""

    def call(*rows):
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        status = main([str(path), "--json", "--model_name", "digits", "--server", server])
        captured = capsys.readouterr()
        return status, [json.loads(line) for line in captured.out.splitlines()], captured.err

    return call


def test_shorter_lists_end_where_the_longest_does_and_nothing_is_in_front_of_them(run):
    status, answers, _ = run(*({"past": past, "x": 1} for past in ([1, 2.5], [4], [], None, [None, 8, 16])))
    assert status == 0
    assert [(each["total"], each["last"]) for each in answers] == [(3.5, 2.5), (4.0, 4.0), (0.0, -1.0), (0.0, -1.0), (24.0, 16.0)]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"past": 5, "x": 1}, "column 'past': expected a list of numbers. Received: 5."),
        ({"past": [1, "much"], "x": 1}, "column 'past': expected a number. Received: "),
        ({"past": [1, [2]], "x": 1}, "column 'past': expected one value. Received: "),
        ({"past": [1], "x": [1, 2]}, "column 'x': expected one value. Received: [1, 2]."),
    ],
)
def test_what_is_no_list_of_numbers_is_named_and_the_other_rows_are_answered(run, row, why):
    status, answers, said = run({"past": [1, 2], "x": 1}, row)
    assert status == 1
    assert answers[0]["total"] == 3.0
    assert why in said and "rows.jsonl:2" in said
