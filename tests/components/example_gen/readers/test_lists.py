"""Lists of numbers in files that have lists: as they are, a missing number as NaN, and what is no number told by its row."""

import json
import math

import pyarrow as pa
import pytest
from pyarrow import parquet

from components.example_gen.examples import encode
from components.example_gen.readers.json_lines import open_json_lines
from components.example_gen.readers.parquet_file import open_parquet
from components.example_gen.split import hashes_of_rows

WANTED = {"load": pa.list_(pa.float64())}
ROWS = [[1, 2.5], [None, 3.0], [], None]


def read(part):
    rejects = []
    lists = [values for rows in part.read(rejects.append) for values in rows.batch.column("load").to_pylist()]
    return [None if each is None else [None if math.isnan(value) else value for value in each] for each in lists], rejects


def test_lists_of_json_and_of_parquet_are_the_same(tmp_path):
    (tmp_path / "t.jsonl").write_text("".join(json.dumps({"load": each}) + "\n" for each in ROWS), encoding="utf-8")
    parquet.write_table(pa.table({"load": pa.array(ROWS, pa.list_(pa.float32()))}), tmp_path / "t.parquet")
    [of_json], [of_parquet] = open_json_lines(tmp_path / "t.jsonl", WANTED), open_parquet(tmp_path / "t.parquet", WANTED)
    assert read(of_json) == read(of_parquet) == (ROWS, [])


@pytest.mark.parametrize("wrong", [[1.0, "much"], [1.0, [2.0]], 3.0])
def test_what_is_no_list_of_numbers_is_left_out_with_its_line(tmp_path, wrong):
    (tmp_path / "t.jsonl").write_text(json.dumps({"load": [1.0]}) + "\n" + json.dumps({"load": wrong}) + "\n", encoding="utf-8")
    [part] = open_json_lines(tmp_path / "t.jsonl", WANTED)
    lists, [reject] = read(part)
    assert lists == [[1.0]]
    assert reject.line == 2 and reject.reason.startswith("column 'load': ")


def test_rows_go_by_their_lists_and_a_row_without_one_is_written_too():
    batch = pa.RecordBatch.from_pydict({"load": pa.array([[1.0, math.nan], [1.0], [1.0, math.nan], None], pa.list_(pa.float64()))})
    first, second, third, none = hashes_of_rows(batch)
    assert first == third and len({first, second, none}) == 3
    assert len(list(encode(batch))) == 4
