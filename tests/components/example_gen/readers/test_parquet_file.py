"""Reading Parquet: which rows are given in which types, and what is said of files and columns that cannot be read."""

import datetime
import decimal
import pickle

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from components.example_gen.readers import parquet_file
from components.example_gen.readers.parquet_file import open_parquet
from components.example_gen.readers.rows import Reject
from trainer.errors import ConfigError, DataError

TEXT, NUMBER, WHOLE, BYTES, TEXTS = pa.string(), pa.float64(), pa.int64(), pa.binary(), pa.list_(pa.string())


@pytest.fixture
def write(tmp_path):
    def write(columns, name="x.parquet", **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), path, **options)
        return path

    return write


def read(place, columns):
    """(rows as tuples, (file, line) of each, rejects)."""
    rejects, rows, lines = [], [], []
    for part in pickle.loads(pickle.dumps(open_parquet(place, columns))):  # noqa: S301  # our own
        for given in part.read(rejects.append):
            assert given.batch.schema == pa.schema(list(columns.items()))
            rows += zip(*(column.to_pylist() for column in given.batch.columns), strict=True)
            lines += [(given.file, line) for line in given.lines.tolist()]
    return rows, lines, rejects


def test_the_named_columns_are_given_in_their_order_with_the_number_of_each_row(write):
    path = write({"a": ["x", None, "z"], "b": [1, 2, None], "c": [[1], [2], [3]]})
    rows, lines, rejects = read(path, {"b": WHOLE, "a": TEXT})
    assert rows == [(1, "x"), (2, None), (None, "z")]
    assert lines == [("x.parquet", 1), ("x.parquet", 2), ("x.parquet", 3)]
    assert rejects == []


DAY = datetime.datetime(2020, 1, 2, 3, 4, 5, 600_000)
SECONDS = 1577934245
TOKYO = pa.timestamp("ns", "Asia/Tokyo")


@pytest.mark.parametrize(
    ("given", "wanted", "expected"),
    [
        (pa.array(["a", None]).dictionary_encode(), TEXT, ["a", None]),
        (pa.array([7, None], pa.int8()), TEXT, ["7", None]),
        (pa.array([True, None]), TEXT, ["true", None]),
        (pa.array([b"\xe7\x8a\xac", None]), TEXT, ["犬", None]),
        (pa.array([7, None], pa.uint64()), NUMBER, [7.0, None]),
        (pa.array([2**53 + 1, None]), NUMBER, [2.0**53, None]),
        (pa.array([1.5, float("nan")], pa.float32()), NUMBER, [1.5, None]),
        (pa.array([decimal.Decimal("1.25"), None]), NUMBER, [1.25, None]),
        (pa.array([True, None]), NUMBER, [1.0, None]),
        (pa.array(["1.5", None]), NUMBER, [1.5, None]),
        (pa.array([7, None], pa.uint8()), WHOLE, [7, None]),
        (pa.array([7.0, None]), WHOLE, [7, None]),
        (pa.array([True, None]), WHOLE, [1, None]),
        (pa.array([DAY, None], pa.timestamp("us")), WHOLE, [SECONDS, None]),
        (pa.array([DAY, None], pa.timestamp("us")).cast(TOKYO), WHOLE, [SECONDS, None]),
        (pa.array([datetime.datetime(1969, 12, 31, 23, 59, 59, 500_000), None]), WHOLE, [-1, None]),
        (pa.array([DAY.date(), None]), WHOLE, [1577923200, None]),
        (pa.array(["2020-01-02 03:04:05", None]), WHOLE, [SECONDS, None]),
        (pa.array([b"\xff\0", None]), BYTES, [b"\xff\0", None]),
        (pa.array(["犬", None]), BYTES, ["犬".encode(), None]),
        (pa.array([["a", "b"], [], None]), TEXTS, [["a", "b"], [], None]),
        (pa.array([["a"], None], pa.large_list(pa.large_string())), TEXTS, [["a"], None]),
        (pa.array([[1, 2], [3, 4]], pa.list_(pa.int32(), 2)), pa.list_(NUMBER), [[1.0, 2.0], [3.0, 4.0]]),
        (pa.nulls(2), NUMBER, [None, None]),
    ],
    ids=str,
)
def test_types_become_those_that_are_wanted(write, given, wanted, expected):
    rows, _, rejects = read(write({"x": given}), {"x": wanted})
    assert [row[0] for row in rows] == expected
    assert rejects == []


@pytest.mark.parametrize(
    ("given", "wanted", "reason"),
    [
        ([1.0, 1.5], WHOLE, "'1.5' is no whole number of 64 bits"),
        (pa.array([1, 2**63], pa.uint64()), WHOLE, "'9223372036854775808' is no whole number of 64 bits"),
        ([b"a", b"\xff"], TEXT, "'b'\\xff'' is no UTF-8 text"),
        ([1.0, float("inf")], NUMBER, "'inf' is no finite number"),
        (["1", "one"], NUMBER, "'one' is no number"),
        (["2020-01-02", "soon"], WHOLE, "'soon' is no time"),
        ([["a"], ["b", None]], TEXTS, "a missing value in a list"),
        ([[b"a"], [b"b", b"\xff"]], TEXTS, "'b'\\xff'' is no UTF-8 text"),
    ],
)
def test_a_value_that_does_not_fit_leaves_its_row_out_with_column_and_value(write, given, wanted, reason):
    path = write({"x": given, "y": ["first", "second"]})
    rows, lines, rejects = read(path, {"x": wanted, "y": TEXT})
    assert [row[1] for row in rows] == ["first"]
    assert lines == [("x.parquet", 1)]
    assert rejects == [Reject("x.parquet", 2, f"column 'x': {reason}")]


@pytest.mark.parametrize("kind", ["folder", "pattern"])
def test_a_folder_and_a_pattern_give_a_part_for_each_file_that_has_rows(write, tmp_path, kind):
    write({"x": [2]}, "d/b.parquet")
    write({"x": [1]}, "d/a.parquet")
    write({"x": [3]}, "d/sub/c.PQ")
    write({"x": pa.array([], pa.int64())}, "d/empty.parquet")
    (tmp_path / "d" / "_SUCCESS").touch()
    (tmp_path / "d" / "_temporary.parquet").touch()
    place = tmp_path / "d" if kind == "folder" else f"{tmp_path}/d/[abc]*.parquet"
    rows, lines, _ = read(place, {"x": WHOLE})
    assert lines == [("a.parquet", 1), ("b.parquet", 1)] + [("sub/c.PQ", 1)] * (kind == "folder")
    assert rows == [(1,), (2,)] + [(3,)] * (kind == "folder")


@pytest.mark.parametrize(
    ("given", "wanted", "received"),
    [
        ([{"bytes": b"x"}], BYTES, "nested, struct<bytes: binary>"),
        ([[["a"]]], TEXTS, "nested, list<item: list<item: string>>"),
        ([["a"]], TEXT, "list<item: string>"),
        (["a"], TEXTS, "string"),
        ([1], BYTES, "int64"),
    ],
)
def test_nested_columns_and_other_types_are_refused_by_name(write, given, wanted, received):
    with pytest.raises(ConfigError) as caught:
        open_parquet(write({"x": given}), {"x": wanted})
    assert "Expected the column 'x' of " in str(caught.value)
    assert f"Received: {received}. Leave it out" in str(caught.value).replace("list<element:", "list<item:")  # a newer pyarrow's word


def test_a_column_that_is_not_there_is_told_with_those_that_are(write):
    with pytest.raises(ConfigError, match=r"Received: 'apple', 'b'\. Did you mean 'apple'\?$"):
        open_parquet(write({"apple": [1], "b": [2]}), {"aple": WHOLE})


def test_a_column_that_is_there_twice_is_refused(write):
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"])
    with pytest.raises(DataError, match="it 2 times"):
        open_parquet(write(table), {"x": WHOLE})


def test_large_rows_come_in_small_batches_and_keep_their_numbers(write, monkeypatch):
    monkeypatch.setattr(parquet_file, "MOST_BYTES", 1000)
    large = [b"x" * 900 if number >= 90 else b"" for number in range(100)]
    path = write({"x": large, "n": list(range(1, 101))}, row_group_size=50, use_dictionary=False)
    [part] = open_parquet(path, {"x": BYTES, "n": WHOLE})
    rows = list(part.read(print))
    assert max(given.batch.nbytes for given in rows if given.batch.num_rows > 1) <= 2000
    assert np.concatenate([given.lines for given in rows]).tolist() == list(range(1, 101))
    assert [number for given in rows for number in given.batch.column(1).to_pylist()] == list(range(1, 101))
    monkeypatch.setattr(parquet_file, "MOST_ROWS", 7)
    monkeypatch.setattr(parquet_file, "MOST_BYTES", 1 << 20)
    assert [given.batch.num_rows for given in part.read(print)] == [7] * 7 + [1] + [7] * 7 + [1]


@pytest.mark.parametrize(
    ("content", "received"),
    [(b"", "which is an empty file."), (b"a,b\n", "which is another file."), (b"\x89PNG\r\n\x1a\n", "which is a PNG picture.")],
)
def test_what_is_no_parquet_file_is_told_by_name(tmp_path, content, received):
    path = tmp_path / "x.parquet"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        open_parquet(path, {"x": WHOLE})
    assert str(caught.value) == f"Expected a Parquet file. Received '{path}', {received}"


def test_a_file_that_is_cut_or_damaged_is_told_in_one_line(write):
    path = write({"x": np.random.default_rng(0).normal(size=50_000)}, row_group_size=20_000, use_dictionary=False)
    data = path.read_bytes()
    path.write_bytes(data[:-100])
    with pytest.raises(DataError, match=r"^Expected a sound Parquet file\. Received '.*', which is truncated or corrupt: "):
        open_parquet(path, {"x": NUMBER})
    path.write_bytes(data[:150_000] + b"\xff" * 20_000 + data[170_000:])
    [part] = open_parquet(path, {"x": NUMBER})
    with pytest.raises(DataError, match=r"which is truncated or corrupt near row 20,001: ") as caught:
        list(part.read(print))
    assert "\n" not in str(caught.value)


def test_files_without_rows_and_places_without_files_are_told(write, tmp_path):
    with pytest.raises(DataError, match=r"Received: 1 Parquet file without any\.$"):
        open_parquet(write({"x": pa.array([], pa.int64())}), {"x": WHOLE})
    (tmp_path / "d").mkdir()
    for place, received in (("d", "an empty folder"), ("e", "which is not there"), ("d/*.pq", "a pattern that matches no file")):
        with pytest.raises(ConfigError) as caught:
            open_parquet(tmp_path / place, {"x": WHOLE})
        assert str(caught.value) == (
            f"Expected Parquet files in '{tmp_path / place}', names ending in .parquet or .parq or .pq. Received: {received}."
        )


def test_a_file_that_changes_between_opening_and_reading_is_noticed(write):
    parts = open_parquet(write({"x": [1, 2]}), {"x": WHOLE})
    write({"x": [1, 3]})
    with pytest.raises(DataError, match="another content than a moment ago"):
        list(parts[0].read(print))
