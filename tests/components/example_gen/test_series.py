"""Rows as points of series: each gets, as lists, what the rows of its key before it had, wherever in the data they are."""

import json

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from components.example_gen import series, source
from components.example_gen.assignment import Assignment
from components.example_gen.columns import Columns
from components.example_gen.config import DataConfig, SeriesConfig, SplitsConfig
from components.example_gen.readers import csv_file
from components.example_gen.readers.dialect import Dialect
from components.example_gen.readers.rows import place
from trainer.errors import DataError
from trainer.problem import Joined

# Stations take turns, and not in the order of time.
TABLE = """t,station,load,heat
2,north,12,0.5
1,south,21,1.5
1,north,11,2.5
3,north,13,
2,south,22,3.5
4,north,,4.5
5,north,15,5.5
"""
NORTH = {1.0: 11.0, 2.0: 12.0, 3.0: 13.0, 4.0: None, 5.0: 15.0}


def joined(key=("station",), length=3, before=1, **of):
    of = of or {"past": "load"}
    return Joined(key=key, time="t", length=length, of=of, before=dict.fromkeys(of, before))


def columns_of(join):
    return Columns(kept={**dict.fromkeys(join.of, "floats"), "load": "float"}, label="load", joined=join)


def opened(path, join, read, **settings):
    """`read` of what the ingestion makes of the data: [(rows, part, columns, config)]."""
    columns = columns_of(join)
    config = DataConfig(**{"format": "csv", "path": str(path), **settings})
    with source.open_data(config, columns) as (parts, _):
        return read(parts, columns, config)


def lists(parts, columns, _config):
    """By the row's station, time and label its list, NaN as None."""
    found = {}
    for part in parts:
        for rows in part.read(lambda reject: None):
            for row in rows.batch.to_pylist():
                values = [None if np.isnan(value) else value for value in row[next(iter(columns.joined.of))]]
                found[row.get("station"), row["t"], row["load"]] = values
    return found


@pytest.fixture
def table(tmp_path):
    (tmp_path / "t.csv").write_text(TABLE, encoding="utf-8")
    return tmp_path / "t.csv"


def test_a_row_of_a_key_has_what_the_rows_of_that_key_had_before_it_and_never_its_own_answer(table):
    found = opened(table, joined(), lists)
    assert found == {
        ("north", 1.0, 11.0): [],
        ("north", 2.0, 12.0): [11.0],
        ("north", 3.0, 13.0): [11.0, 12.0],
        ("north", 4.0, None): [11.0, 12.0, 13.0],
        ("north", 5.0, 15.0): [12.0, 13.0, None],
        ("south", 1.0, 21.0): [],
        ("south", 2.0, 22.0): [21.0],
    }
    for (_, _, label), past in found.items():
        assert label not in past


@pytest.mark.parametrize("before", [0, 1, 2, 4])
def test_a_list_ends_so_many_rows_before_its_row(table, before):
    found = opened(table, joined(before=before, length=2), lists)
    values = list(NORTH.values())
    for number, (time, load) in enumerate(NORTH.items()):
        end = max(number + 1 - before, 0)
        assert found["north", time, load] == values[max(end - 2, 0) : end]


def test_without_a_key_all_rows_are_one_series_and_equal_times_keep_the_order_of_the_file(table):
    found = opened(table, joined(key=(), length=9), lists)
    assert found[None, 2.0, 22.0] == [21.0, 11.0, 12.0]  # at the same time as 12, and behind it in the file
    assert found[None, 2.0, 12.0] == [21.0, 11.0]


def test_a_column_of_the_features_own_name_becomes_its_list(table):
    found = opened(table, joined(heat="heat", before=0), lists)
    assert found["north", 4.0, None] == [0.5, None, 4.5]


def test_several_files_are_one_past_and_so_are_the_files_of_the_splits(tmp_path):
    lines = TABLE.splitlines()
    whole = tmp_path / "whole.csv"
    whole.write_text(TABLE, encoding="utf-8")
    expected = opened(whole, joined(), lists)
    for name, rows in (("a.csv", lines[1:4]), ("b.csv", lines[4:])):
        (tmp_path / name).write_text("\n".join([lines[0], *rows]) + "\n", encoding="utf-8")
    assert opened(tmp_path / "[ab].csv", joined(), lists) == expected
    splits = SplitsConfig(files={"train": "a.csv", "test": "b.csv"})
    assert opened(tmp_path, joined(), lists, splits=splits) == expected


def test_the_rows_of_a_span_have_their_past_in_earlier_ones(tmp_path):
    lines = TABLE.splitlines()
    for span, rows in ((1, lines[1:4]), (2, lines[4:])):
        (tmp_path / f"{span}.csv").write_text("\n".join([lines[0], *rows]) + "\n", encoding="utf-8")
    found = opened(tmp_path / "{SPAN}.csv", joined(), lists, window=2)
    assert found["north", 3.0, 13.0] == [11.0, 12.0]


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_other_tables_are_joined_as_csv_is(tmp_path, table, kind):
    rows = [line.split(",") for line in TABLE.splitlines()[1:]]
    values = [{"t": int(t), "station": station, "load": float(load) if load else None} for t, station, load, _ in rows]
    path = tmp_path / f"t.{kind}"
    if kind == "jsonl":
        path.write_text("".join(json.dumps(each) + "\n" for each in values), encoding="utf-8")
    else:
        parquet.write_table(pa.Table.from_pylist(values), path)
    assert opened(path, joined(), lists, format=kind) == opened(table, joined(), lists)


@pytest.mark.parametrize(
    "times",
    [
        range(1498, 1505),  # numbers, though years are numbers too
        [f"2024-01-{day:02}" for day in range(8, 15)],
        [99_998, 99_999, 100_000, 100_001, 100_002, 100_003, 100_004],
    ],
    ids=["steps", "dates", "large steps"],
)
def test_rows_are_in_the_order_of_their_times_whether_these_are_numbers_or_dates(tmp_path, times):
    rows = [f"{time},{number}" for number, time in enumerate(times)]
    (tmp_path / "t.csv").write_text("\n".join(["t,load", *rows[::-1]]) + "\n", encoding="utf-8")
    found = opened(tmp_path / "t.csv", joined(key=(), length=2), lists)
    assert {label: past for (_, _, label), past in found.items()} == {
        float(number): [float(each) for each in range(max(number - 2, 0), number)] for number in range(7)
    }


def test_several_columns_are_a_key_together(tmp_path):
    (tmp_path / "t.csv").write_text("t,load,a,b\n1,1,x,y\n2,2,x,z\n3,3,x,y\n", encoding="utf-8")
    found = opened(tmp_path / "t.csv", joined(key=("a", "b")), lists)
    assert list(found.values()) == [[], [], [1.0]]


def test_a_row_without_a_key_or_a_time_goes_nowhere_and_is_told_by_its_line(tmp_path):
    (tmp_path / "t.csv").write_text("t,load,station\n1,1,a\n2,2,\n,3,a\n4,4,a\n5,,a\n,6,\n", encoding="utf-8")

    def assigned(parts, columns, config):
        assignment = Assignment.of(parts, config.splits, columns)
        [part] = parts
        [rows] = part.read(lambda reject: None)
        found = assignment.assigned(rows, None)
        return {name: [place(part, rows, row) for row in np.flatnonzero(lacks)] for name, lacks in found.lacking.items()}, [
            *zip(found.splits.tolist(), found.batch.to_pylist(), strict=True)
        ]

    lacking, rows = opened(tmp_path / "t.csv", joined(), assigned)
    assert lacking == {"station": ["line 3 of t.csv"], "t": ["line 4 of t.csv", "line 7 of t.csv"], "load": ["line 6 of t.csv"]}
    assert [split == "" for split, _ in rows] == [False, True, True, False, True, True]
    assert rows[3][1] == {"past": [1.0], "load": 4.0}


def test_a_time_that_is_none_is_an_unreadable_row(tmp_path):
    (tmp_path / "t.csv").write_text("t,load,station\n2024-01-01,1,a\nsoon,2,a\n2024-01-03,3,a\n", encoding="utf-8")
    rejects = []

    def read(parts, *_):
        return [row["past"] for part in parts for rows in part.read(rejects.append) for row in rows.batch.to_pylist()]

    assert opened(tmp_path / "t.csv", joined(), read) == [[], [1.0]]
    assert [(each.line, each.reason) for each in rejects] == [(3, "column 't': 'soon' is no time")]


def test_a_table_without_any_key_or_time_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("t,load,station\n,1,a\n2,2,\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"Expected rows with a time in 't' and a key in station .* Received: none of 2"):
        opened(tmp_path / "t.csv", joined(), lists)


def test_a_value_that_is_no_number_is_an_unreadable_row_where_its_column_is_kept_as_text_too(tmp_path):
    (tmp_path / "t.csv").write_text("t,load,station\n1,1,7\n2,2,north\n3,3,7\n4,4,\n", encoding="utf-8")
    rejects = []

    def read(parts, *_):
        return [row["past"] for part in parts for rows in part.read(rejects.append) for row in rows.batch.to_pylist()]

    assert opened(tmp_path / "t.csv", joined(past="station", before=0), read) == [[7.0], [7.0, 7.0], []]
    assert [(each.line, each.reason) for each in rejects] == [(3, "column 'station': 'north' is no number")]


@pytest.mark.parametrize(
    ("join", "message"),
    [
        (joined(key=("station", "t")), r"at least 2 rows of the same station, t, .* Received: 1 at most"),
        (joined(before=5), r"at least 6 rows of the same station, .* Received: 5 at most. .* smaller `ahead`"),
        (joined(key=(), before=7), r"at least 8 rows, .* Received: 7 at most"),
    ],
    ids=["a key of each row's own", "a forecast that is too far", "without a key"],
)
def test_rows_of_which_none_has_a_past_are_refused_where_one_is_to_be_learnt_from(table, tmp_path, join, message):
    with pytest.raises(DataError, match=message):
        opened(table, join, lists)
    columns = columns_of(join)
    parts = csv_file.open_csv([table], Dialect(), columns.arrow_types())
    assert series.with_past(parts, columns, str(tmp_path))  # to be predicted: the answer is that of a row without a past


def test_a_table_that_changes_while_it_is_read_is_refused(table):
    def read(parts, *_):
        table.write_text(TABLE + "9,north,19,9\n", encoding="utf-8")
        return [rows for part in parts for rows in part.read(lambda reject: None)]

    with pytest.raises(DataError):
        opened(table, joined(), read)


@pytest.mark.parametrize(("splits", "notes"), [({}, 1), ({"time": "t"}, 0), ({"group": "station"}, 0), ({"column": "part"}, 0)])
def test_dividing_the_rows_of_a_series_by_chance_gets_a_note(splits, notes):
    config = DataConfig(format="csv", path="t.csv", series=SeriesConfig(key="station", time="t"), splits=SplitsConfig(**splits))
    found = series.notes(config)
    assert len(found) == notes
    assert all("`data.splits: {time: t}`" in note for note in found)
    assert not series.notes(config.model_copy(update={"series": None}))
