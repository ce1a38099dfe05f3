"""Parquet, JSON lines and TFRecords: their own types say what a column is, and the config reads the data."""

import datetime
import json
import random

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from tfx_bsl.coders import example_coder

from components.example_gen.readers.json_lines import as_text
from components.example_gen.readers.typed import converted
from pipeline.init import sample
from tests.pipeline.init.typed_files import WRITERS, as_json_lines, as_parquet, read

ROWS = 120


@pytest.fixture
def rows():
    """Objects with a number, a category, a truth, a date as text, gaps in them, and a label."""
    draw = random.Random(1)  # noqa: S311 - made-up values
    day = datetime.date(2020, 1, 1)
    return [
        {
            "x": None if number % 7 == 0 else round(draw.uniform(0, 9), 2),
            "count": draw.randrange(90),
            "color": draw.choice(["red", "blue", None]),
            "flag": draw.choice([True, False]),
            "on": (day + datetime.timedelta(draw.randrange(900))).strftime("%d/%m/%Y"),
            "label": draw.choice(["a", "b"]),
        }
        for number in range(ROWS)
    ]


@pytest.mark.parametrize("name", WRITERS)
def test_each_format_gets_the_kinds_of_csv_and_a_config_that_reads_it(init, rows, tmp_path, name):
    WRITERS[name](tmp_path / name, rows)
    result = init(name)
    assert result.status == 0, result.err
    features = {key: feature.kind for key, feature in result.config.features.items()}
    assert features == {"x": "number", "count": "number", "color": "category", "flag": "category", "on": "time"}
    assert (result.config.features["on"].order, result.config.label, result.config.task.kind) == ("day_first", "label", "binary")
    found = read(result.config)
    assert [None if x is None else round(x, 4) for x in found["x"]] == [row["x"] for row in rows]
    assert found["color"] == [row["color"] for row in rows]
    assert found["flag"] == [str(row["flag"]).lower() for row in rows]
    days = [datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%d/%m/%Y") for seconds in found["on"]]
    assert days == [row["on"] for row in rows]


def test_a_folder_and_a_pattern_are_read_whole(init, rows, tmp_path):
    (tmp_path / "data" / "year").mkdir(parents=True)
    as_parquet(tmp_path / "data" / "a.parquet", rows[:60])
    as_parquet(tmp_path / "data" / "year" / "b.parquet", rows[60:])
    (tmp_path / "data" / "_SUCCESS").touch()
    for number, given in enumerate(("data", "data/**/*.parquet")):
        result = init(given, output=f"{number}.yaml")
        assert result.out.startswith("120 rows, 6 columns; Parquet.\n")
        assert len(read(result.config)["label"]) == ROWS


@pytest.mark.parametrize(
    ("column", "kind", "why"),
    [
        (pa.array([1.5, float("nan"), 2.25, None] * 30), "number", "numbers"),
        (pa.array([20200102, 20210304] * 60), "number", "whole numbers; days as YYYYMMDD only where"),
        (pa.array(["20200102", "20210304"] * 60), "time", "days as YYYYMMDD"),
        (pa.array([datetime.date(2020, 1, 1), datetime.date(2021, 1, 9)] * 60), "time", "of the type date32"),
        (pa.array([0, 10**9] * 60, pa.timestamp("ns", "Asia/Tokyo")), "time", "of the type timestamp"),
        (pa.array(["a", "b"] * 60).dictionary_encode(), "category", "2 values"),
        (pa.array(["1.5", "2"] * 60), "number", "numbers"),
        (pa.array(["00501", "90210"] * 60), "category", "leading zeros: codes"),
        (pa.array([b"a", b"b"] * 60), "category", "2 values"),
        (pa.array(range(120)).cast(pa.decimal128(21, 2)), "-", "row numbers"),
        (pa.array(["1", "NA", *"23456789"] * 12), "-", "numbers, but 'NA' is none: mend it or write null"),
        (pa.array([["a"]] * 120), "-", "a list, but a column holds one value a row"),
        (pa.array([{"a": 1}] * 120), "-", "nested: write a column for each of its fields"),
        (pa.array([b"\xff"] * 120), "-", "bytes that are no text"),
        (pa.array([1] * 120, pa.duration("s")), "-", "of the type duration[s]: write it as a number"),
        (pa.nulls(120), "-", "empty"),
    ],
)
def test_the_type_of_a_parquet_column_says_what_it_is(init, tmp_path, column, kind, why):
    labels = ["a", "b", "b"] * 40
    parquet.write_table(pa.table({"z": column, "w": list(np.tile([3.5, 1.5, 2.5, 9.5], 30)), "label": labels}), tmp_path / "t.parquet")
    result = init("t.parquet")
    assert result.status == 0, result.err
    feature = result.config.features.get("z")
    assert (feature.kind if feature else "-") == kind
    assert why in " ".join(result.text.split())
    if feature and column.null_count + sum(value != value for value in column.to_pylist()):
        assert "nan" not in map(str, read(result.config)["z"])


def test_keys_of_an_object_in_an_object_are_columns_of_their_own(init, tmp_path):
    rows = [
        {"who": {"age": number * 7 % 11, "home": {"town": "xyz"[number % 3]}}, "label": "aab"[number * 5 % 7 % 3]}
        if number % 5
        else {"label": "a"}
        for number in range(ROWS)
    ]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    features = init("t.jsonl").config.features
    assert {name: feature.kind for name, feature in features.items()} == {"who.age": "number", "who.home.town": "category"}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2.5, None], "number"),
        (["1.5", 2, "3"], "number"),
        ([1, "a", True], "category"),
        ([1, {"a": 1}, 2], "-"),
        ([1, [2], 3], "-"),
        ([float("nan"), 1, 2], "number"),
    ],
)
def test_a_key_of_json_lines_may_hold_several_types(init, tmp_path, values, kind):
    rows = [{"z": values[number % 3], "w": number * 7 % 11 + 0.5, "label": "aab"[number * 5 % 7 % 3]} for number in range(ROWS)]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = init("t.jsonl")
    assert result.status == 0, result.err
    feature = result.config.features.get("z")
    assert (feature.kind if feature else "-") == kind
    assert len(read(result.config)["w"]) == ROWS


def test_a_key_that_only_late_objects_have_is_a_column(init, tmp_path):
    rows = [{"w": number * 7 % 11 + 0.5, "label": "aab"[number * 5 % 7 % 3]} for number in range(10_100)]
    rows[-90:] = [row | {"late": "xy"[number % 2]} for number, row in enumerate(rows[-90:])]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "# late: category  # almost empty: 90 of 10,100 rows have a value" in init("t.jsonl").text


def test_lines_that_are_no_objects_are_counted_and_named(init, rows, tmp_path):
    as_json_lines(tmp_path / "t.jsonl", rows)
    with (tmp_path / "t.jsonl").open("a") as file:
        file.write("no json\n")
    result = init("t.jsonl")
    assert "1 of 121 rows cannot be read: line 121 of t.jsonl: no JSON" in result.out
    assert "# max_unreadable: 0.01" in result.text


def test_of_a_large_parquet_file_every_so_many_rows_of_all_groups_are_looked_at(init, tmp_path, monkeypatch):
    monkeypatch.setattr(sample, "MOST_ROWS", 1000)
    monkeypatch.setattr(sample.take, "__defaults__", (1000, 1 << 30))
    count = 20_000
    table = pa.table({"x": np.sin(np.arange(count)), "label": ["a"] * (count // 2) + ["b"] * (count // 2)})
    parquet.write_table(table, tmp_path / "t.parquet", row_group_size=1500)
    result = init("t.parquet")
    assert result.text.startswith("# Written by `tapeline init` from 20,000 rows, of which 625 were looked at.")
    assert "2 classes in the 625 rows that were looked at: a 313, b 312." in result.out


@pytest.mark.parametrize(
    ("name", "content", "arguments", "status", "said"),
    [
        ("t.parquet", b"", (), 1, "Received 't.parquet', which is an empty file."),
        ("t.parquet", b"PAR1" + b"x" * 99, (), 1, "which is truncated or corrupt"),
        ("t.jsonl", b"", (), 1, "Expected rows that can be read in 't.jsonl'. Received: none."),
        ("t.jsonl", b"1\n2\n", (), 1, "line 1 of t.jsonl: 1, not an object"),
        ("t.json", b'[{"a": 1}]', (), 1, "Received: one array. Write its elements a line each"),
        ("t.jsonl", b'{"a": [1], "b": {}}\n', (), 2, "Expected columns of one value a row in 't.jsonl'. Received only: 'a': a list"),
        ("t.jsonl", b'{"a": [1], "b": 1}\n', ("--label", "a"), 2, "Received: 'a', a list, but a column holds one value a row."),
        ("t.jsonl", b'{"a": 1, "b": 1}\n', ("--label", "c"), 2, "Expected --label to be a column of the data: 'a', 'b'. Received: 'c'."),
        ("t.tfrecord", b"hello", (), 1, "Expected a sound TFRecord file. Received 't.tfrecord'"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_a_status(init, tmp_path, name, content, arguments, status, said):
    (tmp_path / name).write_bytes(content)
    result = init(name, *arguments)
    assert (result.status, result.text, result.err.count("\n")) == (status, None, 1)
    assert said in result.err


@pytest.mark.parametrize("record", [b"", b"hello"])
def test_records_that_are_no_tf_examples_are_one_line(init, tmp_path, record):
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(tmp_path / "t.tfrecord")) as writer:
        for _ in range(30):
            writer.write(record)
    result = init("t.tfrecord")
    assert (result.status, result.text) == (1, None)
    assert result.err == "Expected tf.Examples with features in 't.tfrecord'. Received: 30 records of something else.\n"


def test_a_feature_of_several_values_or_of_several_types_is_named_and_left_out(init, tmp_path):
    import tensorflow as tf

    encoder = example_coder.RecordBatchToExamplesEncoder()
    with tf.io.TFRecordWriter(str(tmp_path / "t.tfrecord")) as writer:
        for number in range(ROWS):
            odd, label = [number] if number < 60 else [b"x"], [b"ab"[number % 2 :][:1]]
            columns = {"pixels": [1, 2], "raw": [b"\xff"], "odd": odd, "x": [number * 7 % 11], "label": label}
            batch = pa.RecordBatch.from_arrays([pa.array([values]) for values in columns.values()], names=list(columns))
            writer.write(encoder.encode(batch)[0])
    result = init("t.tfrecord")
    assert list(result.config.features) == ["x"]
    for line in (
        "# pixels  # a list, but a column holds one value a row",
        "# raw  # bytes that are no text",
        "# odd  # of several types, int64 and binary: write one",
    ):
        assert line in result.text.replace("large_binary", "binary")


def test_nan_is_no_text():
    assert converted(pa.array([1.5, float("nan")]), pa.string()).values.to_pylist() == ["1.5", None]
    assert as_text([1.5, float("nan"), True]).values.to_pylist() == ["1.5", None, "true"]
