"""Columns of 0 and 1 become one label, the list of the names of those that are 1, in every format."""

import json

import pyarrow as pa
import pytest
from pyarrow import parquet

from components.example_gen import marks, source
from components.example_gen.columns import LABELS, Columns
from components.example_gen.config import DataConfig

COLUMNS = Columns(kept={"x": "float", LABELS: "strings"}, label=LABELS, marks=("round", "red, dark"))
ROWS = [(1, 0, 1), (2, 1, 1), (3, 0, 0), (4, None, 1), (5, 1, None)]
EXPECTED = [["red, dark"], ["round", "red, dark"], [], None, None]


def as_csv(path, way):
    cells = {None: "", 0: way(0), 1: way(1)}
    path.write_text('round,x,"red, dark"\n' + "".join(f"{cells[a]},{x},{cells[b]}\n" for x, a, b in ROWS))


def as_json_lines(path, way):
    rows = [{"round": a, "x": x, "red, dark": b} for x, a, b in ROWS]
    told = [{key: way(value) if key != "x" and value is not None else value for key, value in row.items()} for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in told))


def as_parquet(path, way):
    given = [[None if row[place] is None else way(row[place]) for row in ROWS] for place in (1, 2)]
    parquet.write_table(pa.table({"round": given[0], "x": [row[0] for row in ROWS], "red, dark": given[1]}), path)


def read(path, form, reject=pytest.fail):
    with source.open_data(DataConfig(format=form, path=str(path)), COLUMNS) as (parts, _):
        return [rows for part in parts for rows in part.read(reject)]


@pytest.mark.parametrize("way", [int, float, bool])
@pytest.mark.parametrize(("form", "write"), [("csv", as_csv), ("jsonl", as_json_lines), ("parquet", as_parquet)])
def test_the_names_of_what_is_1_are_the_label_and_a_row_with_a_gap_has_none(tmp_path, form, write, way):
    path = tmp_path / f"rows.{form}"
    write(path, way)
    [rows] = read(path, form)
    assert rows.batch.column(LABELS).to_pylist() == EXPECTED
    assert rows.batch.column("x").to_pylist() == [row[0] for row in ROWS]


def test_a_row_with_another_value_is_told_by_its_line_and_left_out(tmp_path):
    (tmp_path / "rows.csv").write_text('x,round,"red, dark"\n1,1,0\n2,0.4,1\n3,1,-1\n4,0,1\n')
    told = []
    [rows] = read(tmp_path / "rows.csv", "csv", told.append)
    assert (rows.batch.column("x").to_pylist(), rows.lines.tolist()) == ([1, 4], [2, 5])
    assert [(each.line, each.reason) for each in told] == [
        (3, "column 'round': '0.4' is neither 0 nor 1"),
        (4, "column 'red, dark': '-1' is neither 0 nor 1"),
    ]


def test_where_no_row_is_good_there_are_none(tmp_path):
    (tmp_path / "rows.csv").write_text('x,round,"red, dark"\n1,7,0\n')
    assert read(tmp_path / "rows.csv", "csv", lambda _: None) == []


def test_spaces_and_capitals_make_no_difference():
    assert marks.read(pa.array([" 1", "TRUE", "False ", "0.0"])) == (pa.array([True, True, False, False]), {})
