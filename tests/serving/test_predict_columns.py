"""`tapeline predict` of a table with a model that takes the columns under the user's own names."""

import io
import json
import math
import subprocess
import sys
from types import SimpleNamespace

import pytest
from PIL import Image

from serving.predict import main
from serving.times import seconds

MISSING_TIME = -(2**63)


@pytest.fixture(scope="module")
def servers(serve_here, tmp_path_factory):
    """A server each of models that take `x` (a number), `color` (a text) and `when` (a time).

    `echo` answers with them; `named` with the class `yes` where x is above 0, else `no`; `value` with twice x.
    """
    import tensorflow as tf

    columns = {"x": tf.float32, "color": tf.string, "when": tf.int64}

    class Model(tf.Module):
        def __init__(self, answer):
            super().__init__()
            self.answer = answer

        @tf.function
        def predict_columns(self, **columns):
            return self.answer(**columns)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def serving_default(self, examples):
            return {"examples": examples}

    def named(x, color, when):
        yes = tf.where(x > 0, 0.75, 0.25)
        names = tf.constant(["no", "yes"])
        return {
            "probabilities": tf.stack([1 - yes, yes], axis=1),
            "classes": tf.gather(names, tf.cast(yes > 0.5, tf.int64)),
            "class_names": tf.tile(names[tf.newaxis], [tf.size(x), 1]),
        }

    answers = {"echo": lambda **columns: {k: tf.identity(v) for k, v in columns.items()}, "named": named}
    answers["value"] = lambda x, color, when: {"values": 2 * x}
    addresses = {}
    for name, answer in answers.items():
        base_path, model = tmp_path_factory.mktemp(name), Model(answer)
        specs = {column: tf.TensorSpec([None], dtype, column) for column, dtype in columns.items()}
        signatures = {
            "predict_columns": model.predict_columns.get_concrete_function(**specs),
            "serving_default": model.serving_default.get_concrete_function(),
        }
        tf.saved_model.save(model, str(base_path / "1"), signatures=signatures)
        addresses[name] = serve_here(base_path).grpc
    return addresses


@pytest.fixture
def run(servers, capsys, tmp_path):
    """Called with a model, the table's text and arguments it gives (exit status, stdout, stderr)."""

    def call(model, text, *arguments, name="rows.csv"):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        status = main([str(path), *arguments, "--model_name", "digits", "--server", servers[model]])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


@pytest.fixture
def rows(run):
    """Called with the table's text: (x, color, when) of each row, as the model received them."""

    def call(text, *arguments, **names):
        status, out, err = run("echo", text, "--json", *arguments, **names)
        assert (status, err) == (0, "")
        return [(row["x"], row["color"], row["when"]) for row in map(json.loads, out.splitlines())]

    return call


@pytest.mark.parametrize("marker", ["", "NA", "N/A", "NaN", "null", "?"])
def test_a_missing_value_is_nan_empty_or_no_time(rows, marker):
    [[x, color, when]] = rows(f"x,color,when\n{marker},{marker},{marker}\n")
    assert math.isnan(x)
    assert (color, when) == ("", MISSING_TIME)


def test_a_cell_is_what_the_model_takes_whatever_it_looks_like(rows):
    assert rows("when,color,x\n2024-01-31,01234,7\n") == [(7.0, "01234", 1706659200)]


def test_json_lines_are_rows_and_their_texts_are_what_they_say(rows):
    lines = (
        '{"x": 1, "color": "NA", "when": 5}\n\n{"x": "NA", "color": 7, "when": "2024-01-31"}\n{"x": null, "color": null, "when": null}\n'
    )
    first, second, third = rows(lines, name="rows.jsonl")
    assert first == (1.0, "NA", 5)
    assert (math.isnan(second[0]), *second[1:]) == (True, "7", 1706659200)
    assert (math.isnan(third[0]), *third[1:]) == (True, "", MISSING_TIME)


def test_dates_whose_year_is_last_are_read_as_dates_says(rows):
    text = "when,color,x\n2/1/1970,a,1\n1970-01-02,a,1\n,a,1\n"
    assert [row[2] for row in rows(text, "--dates", "day_first")] == [86_400, 86_400, MISSING_TIME]
    assert [row[2] for row in rows(text, "--dates", "month_first")] == [31 * 86_400, 86_400, MISSING_TIME]
    line = '{"when": "2.1.70 1:00 PM", "color": "a", "x": "1.5"}\n'
    assert rows(line, "--dates", "day_first", name="rows.jsonl") == [(1.5, "a", 86_400 + 13 * 3600)]


def test_columns_that_the_model_does_not_take_are_left_out_with_one_note(run):
    status, out, err = run("named", "id,x,color,when,label\n" + "1,2,red,,yes\n" * 300, "--json")
    assert (status, err) == (0, "tapeline predict: left out, because the model does not take them: id, label.\n")
    assert len(out.splitlines()) == 300


def test_a_missing_column_is_one_line_with_the_nearest_name(run):
    status, out, err = run("named", "x,colour,when\n1,red,\n")
    assert (status, out) == (2, "")
    assert err == (
        "tapeline predict: Expected the column 'color', which the model takes. Received: x, colour, when. Did you mean 'colour'? "
        "Rename it in the table, or add it; its values may be empty.\n"
    )
    status, _, err = run("named", "x,color,when\n")
    assert (status, err) == (2, "tapeline predict: Expected rows, each a line with a value for every column. Received none.\n")


def test_the_answer_names_the_users_own_row_and_class(run):
    text = 'x,color,when\n1,"two\nlines",\n\n-1,red,\n'
    status, out, err = run("named", text, "--json")
    first, second = map(json.loads, out.splitlines())
    assert (status, err) == (0, "")
    assert [row["row"].rpartition(":")[2] for row in (first, second)] == ["2", "5"]
    assert (first["class"], first["probability"], first["probabilities"]) == ("yes", 0.75, {"no": 0.25, "yes": 0.75})
    assert second["class"] == "no"
    assert "class_names" not in first
    table = [line.split() for line in run("named", text)[1].splitlines()]
    assert [line[1:3] for line in table if line and "rows.csv" in line[0]] == [["yes", "75.0%"], ["no", "75.0%"]]


def test_a_regression_answers_with_the_value(run):
    status, out, _ = run("value", "x,color,when\n1.5,red,\n", "--json")
    assert (status, json.loads(out)["value"]) == (0, 3.0)


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        ("x,red,", "column 'x': expected a number. Received: 'x'."),
        ("1e40,red,", "column 'x': expected a number. Received: '1e40'."),
        (
            "1,red,31/1/2024",
            "column 'when': expected a time such as 2024-01-31 or 2024-01-31T10:00:00Z (say by --dates whether the day or the month is "
            "first). Received: '31/1/2024'.",
        ),
        ("1,red,today", "column 'when': expected a time such as 2024-01-31 or 2024-01-31T10:00:00Z. Received: 'today'."),
        ("1,red", "expected 3 cells, as in the header. Received 2."),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_answered(run, tmp_path, row, cause):
    status, out, err = run("named", f"x,color,when\n1,red,\n{row}\n-1,red,\n", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert (status, err) == (1, f"tapeline predict: {tmp_path}/rows.csv:3: {cause}\n")
    assert [line.get("class") for line in lines] == ["yes", None, "no"]
    assert lines[1]["error"] == cause


def test_a_line_that_is_no_json_is_set_aside(run):
    status, out, err = run("named", '{"x": 1, "color": "a", "when": 5}\n[1]\n{"x": }\n', "--json", name="rows.ndjson")
    assert (status, err.count("\n"), len(out.splitlines())) == (1, 2, 3)
    assert "rows.ndjson:2: expected a JSON object of features. Received: [1]" in err
    assert "rows.ndjson:3: expected a JSON object of features. Expecting value" in err


def test_a_list_is_no_value(run):
    status, out, err = run("named", '{"x": 1, "color": "a", "when": 5}\n{"x": [1], "color": "a", "when": 5}\n', "--json", name="rows.jsonl")
    assert (status, len(out.splitlines())) == (1, 2)
    assert err.endswith("rows.jsonl:2: column 'x': expected one value. Received: [1].\n")


def test_what_is_said_of_tables_is_refused_of_pictures(servers, tmp_path, capsys):
    Image.new("L", (2, 2)).save(tmp_path / "a.png")
    for flag, value in {"--encoding": "cp932", "--column": "x:float", "--dates": "day_first"}.items():
        assert main([str(tmp_path / "a.png"), flag, value, "--model_name", "digits", "--server", servers["named"]]) == 2
        assert capsys.readouterr().err == f"tapeline predict: {flag}: expected rows of features, in CSV or JSON lines. Received images.\n"


def test_a_file_in_another_encoding_names_the_flag(run, rows):
    text = "x,color,when\n1,赤,\n"
    assert rows(text.encode("utf-8-sig")) == [(1.0, "赤", MISSING_TIME)]
    status, out, err = run("echo", text.encode("cp932"))
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.endswith(
        "rows.csv: expected UTF-8 text. Received another encoding; say which it is by --encoding, such as cp932 or latin-1.\n"
    )
    assert rows(text.encode("cp932"), "--encoding", "cp932") == [(1.0, "赤", MISSING_TIME)]
    assert rows(text.encode("utf-8-sig"), "--encoding", "utf8") == [(1.0, "赤", MISSING_TIME)]
    status, _, err = run("echo", text.encode("cp932"), "--encoding", "utf-16")
    assert (status, err.endswith("rows.csv: expected utf-16 text. Received another encoding; try another --encoding.\n")) == (2, True)
    status, _, err = run("echo", text, "--encoding", "cp9320")
    assert (status, "expected Python's name of an encoding, such as cp932 or latin-1, received 'cp9320'" in err) == (2, True)


def test_another_signature_may_be_asked_for(run):
    status, out, err = run("echo", "x,color,when\n1,red,5\n", "--signature_name", "serving_default", "--json")
    assert (status, err) == (0, "")
    assert "examples" in json.loads(out)


def test_rows_on_stdin_are_columns_too(servers, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"x,color,when\n1,red,\n")))
    assert main(["-", "--json", "--model_name", "digits", "--server", servers["named"]]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["row"], row["class"]) == ("stdin:2", "yes")


def test_a_table_is_asked_about_without_tensorflow_or_pyarrow(servers, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("x,color,when\n1,red,2024-01-31\n")
    code = (
        "import sys; from serving.predict import main; status = main(sys.argv[1:]); "
        "print(status, *{'tensorflow', 'pyarrow', 'pandas', 'apache_beam'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, str(path), "--model_name", "digits", "--server", servers["named"]]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "0"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01", 0),
        (" 1970-01-01T00:00:01Z ", 1),
        ("1970-01-02 09:00:00.9+09:00", 86_400),
        ("1970-01-01T00:00-0130", 5_400),
        ("1970/1/2", 86_400),
        ("1970年1月2日", 86_400),
        ("19700102", 86_400),
        ("2016-12-31T23:59:60Z", 1_483_228_800),
        ("1706659200", 1_706_659_200),
        ("1706659200123", 1_706_659_200),
        ("45292.604178", 1_704_119_401),
        ("-1.5", -2),
    ],
)
def test_a_time_is_seconds_since_1970_in_utc(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "today", "2024-13-01", "2024-02-30", "2024-01-01T25:00", "31/12/2024", "1970-01-01T00:00:61"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        seconds(text)


@pytest.mark.parametrize("order", ["", "day_first", "month_first"])
def test_a_time_is_read_as_the_ingestion_reads_it(order):
    import pyarrow as pa

    from components.example_gen.readers import cells

    texts = [
        "3/4/2024",
        "31/12/2023",
        "12-31-23",
        "1.2.69 12:05 am",
        "2024/1/2, 3:04:05 p.m.",
        "2024-01-02T03:04+0900",
        "45292.5",
        "13/13/2024",
        "1/2/24 13:00 PM",
    ]
    for text in texts:
        read = cells.times(pa.array([text]), order or "year_first")
        try:
            mine = seconds(text, order)
        except ValueError:
            mine = None
        assert mine == read.values[0].as_py(), text
