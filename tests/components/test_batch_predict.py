"""Predictions for whole files, with real tiny models: a line in, the same line with a prediction out."""

import csv
import json
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from components.batch_predict import predict
from components.example_gen.examples import encode
from components.example_gen.readers.dialect import Dialect
from pipeline.runs.beam_args import IN_MEMORY
from trainer.errors import ConfigError, DataError
from trainer.problem import Problem, Written
from trainer.tasks import Multiclass, Multilabel, Regression

KINDS = {"x": "number", "my color": "category", "when": "time"}  # TensorFlow takes the second for no argument's name


def save(module, signatures, problem, folder):
    import tensorflow as tf

    tf.saved_model.save(module, str(folder), signatures=signatures)
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra/tapeline.problem.json").write_text(problem.to_json(), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def table_model(tmp_path_factory):
    """Called with "class" or "value": the folder of version 1 of a model of x, "my color" and when, which refuses 13 for x.

    The class is `yes` where x is above 0. The value is 1000 times the length of the color, and when, and x; -1 and -2 where a number
    or a time is missing.
    """
    import tensorflow as tf

    from trainer.export.columns import use_own_names

    def value(x, column_2, when):
        numbers = tf.where(tf.math.is_nan(x), -1.0, x) + tf.where(when == -(2**63), -2.0, tf.cast(when, tf.float32))
        return {"values": numbers + 1000.0 * tf.cast(tf.strings.length(column_2), tf.float32)}

    def classes(x, column_2, when):
        yes = tf.where(x > 0, 0.7, 0.3)
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(tf.not_equal(x, 13.0)), ["no 13"])]):
            yes = tf.identity(yes)
        names = tf.constant(["no", "yes"])
        return {"probabilities": tf.stack([1 - yes, yes], axis=1), "classes": tf.gather(names, tf.cast(yes > 0.5, tf.int64))}

    made = {}

    def make(kind):
        if kind not in made:
            module = tf.Module()
            module.predict = tf.function(classes if kind == "class" else value, autograph=False)
            specs = {"x": tf.float32, "column_2": tf.string, "when": tf.int64}
            signature = module.predict.get_concrete_function(**{k: tf.TensorSpec([None], v, k) for k, v in specs.items()})
            task = Multiclass(classes=2, names=("no", "yes")) if kind == "class" else Regression()
            folder = tmp_path_factory.mktemp(kind) / "1"
            save(module, {"predict_columns": signature}, Problem(features=KINDS, label="y", task=task), folder)
            use_own_names(SimpleNamespace(raw_names=list(KINDS)), str(folder))
            made[kind] = folder
        return made[kind]

    return make


@pytest.fixture(scope="session")
def label_model(tmp_path_factory):
    """The folder of a model of x that answers `small` below 2 and `even` for 0 and 2."""
    import tensorflow as tf

    task = Multilabel(separator="|", names=("small", "even"))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")], autograph=False)
    def predict_columns(x):
        return task.served(tf.stack([tf.where(x < 2, 0.75, 0.25), tf.where(x % 2 == 0, 1.0, 0.0)], axis=1))

    module = tf.Module()
    module.predict = predict_columns
    problem = Problem(features={"x": "number"}, label="tags", task=task)
    return save(module, {"predict_columns": predict_columns}, problem, tmp_path_factory.mktemp("labels") / "1")


def test_several_labels_are_one_cell_beside_the_probability_of_each(run, label_model, tmp_path):
    (tmp_path / "rows.csv").write_text("x,tags\n0,small\n1,\n2,even\n3,odd\n")
    rows, counts, rejected = run(label_model, tmp_path / "rows.csv")
    assert (counts.rows, rejected) == (4, [])
    assert [(row["x"], row["tags"], row["classes"], row["probability_small"]) for row in rows] == [
        ("0", "small", "small|even", 0.75),
        ("1", "", "small", 0.75),
        ("2", "even", "even", 0.25),
        ("3", "odd", "", 0.25),
    ]


@pytest.fixture(scope="session")
def picture_model(tmp_path_factory):
    """The folder of a model of pictures, whose class is the value of the first pixel, 0 to 2."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image")])
    def predict_image(image):
        first = tf.map_fn(lambda file: tf.io.decode_png(file, 1)[0, 0, 0], image, fn_output_signature=tf.uint8)
        return {"probabilities": tf.one_hot(first, 3), "classes": tf.cast(first, tf.int64)}

    module = tf.Module()
    module.predict_image = predict_image
    problem = Problem(features={"photo": "image"}, label="label", task=Multiclass(classes=3))
    return save(module, {"predict_image": predict_image}, problem, tmp_path_factory.mktemp("picture") / "1")


@pytest.fixture
def run(tmp_path):
    """Called with a model's folder, the input and the output's name: (rows, counts, rejected), the output's folder being tmp_path/out."""
    (tmp_path / "out").mkdir()

    def call(model, place, name="rows.jsonl"):
        output, errors = tmp_path / "out" / name, tmp_path / "out" / f"{name}.errors.jsonl"
        counts = predict(model, str(place), output, errors, IN_MEMORY)
        rejected = [json.loads(line) for line in errors.read_text("utf-8").splitlines()] if errors.exists() else []
        assert not list((tmp_path / "out").glob(".*"))
        return read(output) if output.exists() else [], counts, rejected

    return call


def read(path):
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    if path.suffix == ".parquet":
        return parquet.read_table(path).to_pylist()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    import tensorflow as tf

    examples = [tf.train.Example.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(path))]
    return [{name: _only(feature) for name, feature in example.features.feature.items()} for example in examples]


def _only(feature):
    values = getattr(feature, feature.WhichOneof("kind") or "int64_list").value
    return (values[0].decode() if isinstance(values[0], bytes) else values[0]) if values else None


@pytest.fixture
def table(tmp_path):
    def write(text, name="in.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_text(text, encoding=encoding)
        return path

    return write


def test_the_columns_stand_as_in_the_file_between_the_rows_key_and_its_prediction(run, table_model, table):
    path = table("id;x;my color;when;note\n007;1,50;赤;2024-01-31;a\n008;NA;;;NA\n", encoding="cp932")
    rows, counts, rejected = run(table_model("class"), path, "rows.csv")
    assert (counts, rejected) == ((2, 0), [])
    first = {"file": "in.csv", "line": "2", "id": "007", "x": "1,50", "my color": "赤", "when": "2024-01-31", "note": "a"}
    assert rows[0] == first | {"class": "yes", "probability_no": "0.3", "probability_yes": "0.7"}
    assert list(rows[0]) == [*first, "class", "probability_no", "probability_yes"]
    assert (rows[1]["id"], rows[1]["x"], rows[1]["note"], rows[1]["class"]) == ("008", "NA", "NA", "no")


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl", "tfrecord"])
def test_every_format_has_the_same_rows_in_their_order(run, table_model, table, suffix):
    count = 12_345  # more than one batch of the reader, and than one call of the model
    path = table("id,x,my color,when\n" + "".join(f"{n},{n % 3 - 1},red,\n" for n in range(count)))
    rows, counts, _ = run(table_model("class"), path, f"rows.{suffix}")
    assert counts == (count, 0)
    assert [int(row["id"]) for row in rows] == list(range(count))
    assert [int(row["line"]) for row in rows] == list(range(2, count + 2))
    assert [row["class"] for row in rows] == ["yes" if n % 3 == 2 else "no" for n in range(count)]
    assert float(rows[2]["probability_yes"]) == (pytest.approx(0.7) if suffix in {"parquet", "tfrecord"} else 0.7)  # text is short


def test_missing_values_and_times_are_what_the_model_was_taught(run, table_model, table):
    path = table("x,my color,when\n2,ab,1970-01-01T00:00:10Z\n,ab,200000\n2,,200000\n2,ab,\n")
    rows, _, _ = run(table_model("value"), path)
    assert [row["value"] for row in rows] == [2012.0, 201999.0, 200002.0, 2000.0]


def test_tfrecords_show_their_features_of_one_value(run, table_model, tmp_path):
    import tensorflow as tf

    columns = {
        "x": pa.array([1.5, None]),
        "my color": ["a", "bc"],
        "when": [5, 86_400],
        "raw": pa.array([b"\xff"] * 2),
        "two": [[1, 2]] * 2,
    }
    [batch] = pa.table(columns).to_batches()
    with tf.io.TFRecordWriter(str(tmp_path / "in.tfrecord-00000-of-00001"), "GZIP") as writer:
        for record in encode(batch):
            writer.write(record)
    rows, counts, _ = run(table_model("value"), tmp_path / "in.tfrecord-00000-of-00001")
    assert counts == (2, 0)
    assert [row["value"] for row in rows] == [1006.5, 88399.0]
    assert {key: value for key, value in rows[0].items() if key not in ("file", "line", "value")} == {"my color": "a", "when": 5, "x": 1.5}


@pytest.mark.parametrize("name", ["in.csv", "in.jsonl", "in.parquet"])
def test_dates_are_read_in_the_order_in_which_the_model_was_taught_them(run, table_model, table, tmp_path, name):
    folder = Path(shutil.copytree(table_model("value"), tmp_path / "model" / "1"))
    problem = folder / "assets.extra/tapeline.problem.json"
    problem.write_text(problem.read_text().replace('"orders": {}', '"orders": {"when": "day_first"}'))
    if name == "in.csv":
        table("x,my color,when\n0,ab,2/1/1970\n")
    elif name == "in.jsonl":
        table('{"x": 0, "my color": "ab", "when": "2/1/1970"}\n', name)
    else:
        parquet.write_table(pa.table({"x": [0.0], "my color": ["ab"], "when": ["2/1/1970"]}), tmp_path / name)
    rows, counts, _ = run(folder, tmp_path / name)
    assert (counts, rows[0]["value"], rows[0]["when"]) == ((1, 0), 2000.0 + 86_400, "2/1/1970")


def test_text_is_read_as_that_which_the_model_has_learnt_from(run, table_model, tmp_path):
    folder = Path(shutil.copytree(table_model("value"), tmp_path / "model" / "1"))
    place = folder / "assets.extra/tapeline.problem.json"
    replaced = {"GREY": "grey", "ab.": "ab"}
    csv = Dialect(
        delimiter=";", decimal=",", thousands=".", missing=("", "-999"), not_rows=("Total",), trim=True, replace=replaced, units={"x": "kg"}
    )
    written = Written(**csv.model_dump(include=set(Written.model_fields)))
    place.write_text(Problem.from_json(place.read_text("utf-8")).model_copy(update={"written": written}).to_json(), encoding="utf-8")
    (tmp_path / "rows.data").write_text(
        "x;my color;when\n1.200 kg;GREY ;1970-01-01\nx;my color;when\n-999;ab.;1970-01-01\nTotal;;\n", encoding="utf-8"
    )
    rows, counts, rejected = run(folder, tmp_path / "rows.data")
    assert ([row["value"] for row in rows], counts.rows, rejected) == ([5200.0, 1999.0], 2, [])
    assert [(row["x"], row["my color"]) for row in rows] == [("1.200 kg", "GREY "), ("-999", "ab.")]


def test_without_a_header_columns_go_by_their_places_where_the_model_has_learnt_so(run, table_model, tmp_path):
    folder = Path(shutil.copytree(table_model("value"), tmp_path / "model" / "1"))
    place = folder / "assets.extra/tapeline.problem.json"
    csv = Dialect(header=False, names=("my color", "when", "x"))
    written = Written(**csv.model_dump(include=set(Written.model_fields)))
    place.write_text(Problem.from_json(place.read_text("utf-8")).model_copy(update={"written": written}).to_json(), encoding="utf-8")
    (tmp_path / "rows.csv").write_text("green,1970-01-01,1\nab,1970-01-01,2\n", encoding="utf-8")
    rows, _, _ = run(folder, tmp_path / "rows.csv")
    assert [(row["my color"], row["value"]) for row in rows] == [("green", 5001.0), ("ab", 2002.0)]


def test_json_lines_keep_their_values_also_nested_ones(run, table_model, table):
    lines = '{"x": 3, "my color": 7, "when": "1970-01-02", "more": {"a": [1, null]}, "flag": true}\n\n{"x": null, "my color": "b"}\n'
    path = table(lines, "in.jsonl")
    rows, _, _ = run(table_model("value"), path)
    assert rows[0] == {"file": "in.jsonl", "line": 1, **json.loads(lines.splitlines()[0]), "value": 87403.0}
    assert (rows[1]["line"], rows[1]["more"], rows[1]["value"]) == (3, None, 997.0)
    rows, _, _ = run(table_model("value"), path, "rows.csv")
    assert (rows[0]["my color"], rows[0]["more"], rows[0]["flag"]) == ("7", '{"a": [1, null]}', "true")


def test_parquet_keeps_its_types(run, table_model, tmp_path):
    when = pa.array([0, 86_400], pa.timestamp("s"))
    columns = {"x": pa.array([1, None], pa.int32()), "my color": ["a", "b"], "when": when, "ok": [True, None], "nested": [[1], [2]]}
    parquet.write_table(pa.table(columns), tmp_path / "in.parquet")
    rows, _, _ = run(table_model("value"), tmp_path / "in.parquet", "rows.parquet")
    assert [row["value"] for row in rows] == [1001.0, 87399.0]
    types = {field.name: str(field.type) for field in parquet.read_schema(tmp_path / "out/rows.parquet")}
    assert types == {
        "file": "string",
        "line": "int64",
        "x": "int32",
        "my color": "string",
        "when": "string",
        "ok": "bool",
        "value": "float",
    }
    assert run(table_model("value"), tmp_path / "in.parquet", "rows.tfrecord")[0][0]["ok"] == 1


def test_a_row_that_cannot_be_read_or_that_the_model_refuses_is_set_aside_with_its_line(run, table_model, table):
    good, bad = "1,red,\n", "x,red,\n1,red\n13,red,\n1,red,once\n"
    rows, counts, rejected = run(table_model("class"), table("x,my color,when\n" + good + bad + good))
    assert (counts, [row["line"] for row in rows]) == ((2, 4), [2, 7])
    assert [(each["file"], each["line"]) for each in rejected] == [("in.csv", 3), ("in.csv", 4), ("in.csv", 6), ("in.csv", 5)]
    assert [each["reason"] for each in rejected[:3]] == [
        "column 'x': 'x' is no number",
        "2 fields instead of 3",
        "column 'when': 'once' is no time",
    ]
    assert "no 13" in rejected[3]["reason"]
    assert run(table_model("class"), table("x,my color,when\n" + good))[1:] == ((1, 0), [])


def test_where_no_row_can_be_predicted_only_the_reasons_are_written(run, table_model, table):
    rows, counts, rejected = run(table_model("class"), table("x,my color,when\n13,red,\n"), "rows.parquet")
    assert (rows, counts, len(rejected)) == ([], (0, 1), 1)


def test_a_row_with_a_column_that_cannot_be_shown_is_set_aside(run, table_model, tmp_path):
    columns = {"x": [1.0, 1.0, 1.0], "my color": ["a", "a", "a"], "when": [1, 1, 1], "rate": [0.5, float("inf"), 0.25]}
    parquet.write_table(pa.table(columns), tmp_path / "in.parquet")
    rows, counts, rejected = run(table_model("class"), tmp_path / "in.parquet")
    assert (counts, [row["rate"] for row in rows]) == ((2, 1), [0.5, 0.25])
    assert rejected == [{"file": "in.parquet", "line": 2, "reason": "column 'rate': 'inf' is no finite number"}]


def test_several_files_are_read_in_the_order_of_their_names(run, table_model, table, tmp_path):
    for number in (2, 1, 3):
        table(f"x,my color,when\n{number},red,\n", f"part-{number}.csv")
    rows, _, _ = run(table_model("class"), tmp_path / "part-*.csv")
    assert [(row["file"], row["x"]) for row in rows] == [(f"part-{number}.csv", str(number)) for number in (1, 2, 3)]


def test_a_bucket_gives_what_the_disk_gives(run, table_model, table, tmp_path, bucket_server):
    for number in (1, 2):
        table(f"x,my color,when\n{number},red,\nx,red,\n", f"part-{number}.csv")
    bucket_server.upload(tmp_path, "bucket", "below/")
    expected = run(table_model("class"), tmp_path / "part-*.csv")
    assert run(table_model("class"), "gs://bucket/below/part-*.csv") == expected
    assert len(expected[0]) == 2
    with pytest.raises(ConfigError, match=r"Expected CSV files in 'gs://bucket/other\.csv'"):
        run(table_model("class"), "gs://bucket/other.csv")


def test_a_column_of_the_users_keeps_its_name_beside_ours(run, table_model, table):
    rows, _, _ = run(table_model("class"), table("x,my color,when,class,file\n1,red,,no,f\n"))
    assert (rows[0]["class"], rows[0]["file"], rows[0]["class_"], rows[0]["file_"]) == ("no", "f", "yes", "in.csv")


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_pictures_are_predicted_by_name_in_whatever_folders_they_are(run, picture_model, tmp_path, kind):
    folder = tmp_path / "in"
    for number, name in enumerate(["a.png", "b/x.png", "c.png", "d/e/z.png"]):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4), number % 3, np.uint8)).save(folder / name)
    (folder / "b2.png").write_bytes((folder / "a.png").read_bytes()[:40])
    (folder / "notes.txt").write_text("no picture")
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "in.zip", "w") as file:
            for path in sorted(folder.rglob("*.png"), reverse=True):
                file.write(path, path.relative_to(folder))
    top = "in.zip" if kind == "zip" else "in"
    rows, counts, rejected = run(picture_model, tmp_path / top)
    assert counts == (4, 1)
    assert [row["file"] for row in rows] == [f"{top}/{name}" for name in ("a.png", "b/x.png", "c.png", "d/e/z.png")]
    assert [row["class"] for row in rows] == ["0", "1", "2", "0"]
    assert rows[1] == {"file": f"{top}/b/x.png", "class": "1", "probability_0": 0.0, "probability_1": 1.0, "probability_2": 0.0}
    assert [each["file"] for each in rejected] == [f"{top}/b2.png"]
    if kind == "folder":
        assert [row["class"] for row in run(picture_model, folder / "c.png")[0]] == ["2"]


def test_the_newest_version_of_a_models_folder_is_asked(run, table_model, table):
    version = table_model("value")
    (version.parent / "0").mkdir(exist_ok=True)
    (version.parent / "2").mkdir(exist_ok=True)  # still being copied
    assert run(version.parent, table("x,my color,when\n1,,200000\n"))[0][0]["value"] == 200001.0


def test_another_folder_or_a_missing_column_is_one_line(run, table_model, table, tmp_path):
    path = table("x,my colour,when\n1,red,\n")
    for folder, received in {tmp_path: "another folder", tmp_path / "none": "which is not there"}.items():
        with pytest.raises(ConfigError, match=f"Expected --model_dir to be a model's folder.*{received}") as error:
            run(folder, path)
        assert "\n" not in str(error.value)
    with pytest.raises(ConfigError, match=r"Expected the column 'my color' in .*Did you mean 'my colour'\?"):
        run(table_model("class"), path)
    with pytest.raises(ConfigError, match="Expected a table, a file whose name ends in"):
        run(table_model("class"), table("x", "in.dat"))
    with pytest.raises(ConfigError, match="which is not there"):
        run(table_model("class"), tmp_path / "none")


def test_nothing_is_half_written_where_a_file_breaks_off(run, table_model, tmp_path):
    path = tmp_path / "in.parquet"
    numbers = [number % 700 for number in range(50_000)]
    columns = {"x": numbers, "my color": [f"color {number}" for number in numbers], "when": numbers}
    parquet.write_table(pa.table(columns), path, row_group_size=10_000)
    content = bytearray(path.read_bytes())
    middle = range(len(content) // 2, len(content) // 2 + 4000)
    content[middle.start : middle.stop] = bytes(content[place] ^ 0x5A for place in middle)
    path.write_bytes(content)
    (tmp_path / "out/rows.csv").write_text("as it was\n")
    with pytest.raises(DataError, match=r"truncated or corrupt near row [1-9]") as error:
        run(table_model("class"), path, "rows.csv")
    assert "while running" not in str(error.value)
    assert [(each.name, each.read_text()) for each in (tmp_path / "out").iterdir()] == [("rows.csv", "as it was\n")]
