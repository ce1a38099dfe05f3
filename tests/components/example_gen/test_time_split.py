"""Rows divided by time: the earliest teach, the latest test."""

import numpy as np
import pyarrow as pa
import pytest

from components.example_gen import source, time_split
from components.example_gen.columns import Columns
from components.example_gen.config import DataConfig, SplitsConfig
from components.example_gen.readers.rows import Part, Rows
from trainer.errors import DataError

BY_TIME = SplitsConfig(time="at")


def part(times):
    batch = pa.RecordBatch.from_arrays([pa.array(times, pa.int64())], names=["at"])
    return Part(None, "rows", {}, lambda reject: iter([Rows(batch, np.arange(1, len(times) + 1), "rows")]))


def test_the_latest_rows_are_the_test_split_however_they_are_ordered_and_divided_over_parts():
    times = np.random.default_rng(0).permutation(1000)
    latest = time_split.bounds([part(times[:300].tolist()), part(times[300:].tolist())], BY_TIME)
    names = time_split.assign(pa.array(times, pa.int64()), latest, "t")
    assert {name: (times[names == name].min(), times[names == name].max()) for name in ("train", "eval", "test")} == {
        "train": (0, 799),
        "eval": (800, 899),
        "test": (900, 999),
    }


def test_rows_of_one_time_stay_together_and_one_without_a_time_is_in_no_split():
    times = [1] * 8 + [2] + [3]
    names = time_split.assign(pa.array([*times, None], pa.int64()), time_split.bounds([part(times)], BY_TIME), "t")
    assert names.tolist() == ["train"] * 8 + ["eval"] + ["test", ""]


@pytest.mark.parametrize("times", [[], [5] * 20, [None, None], [1] * 19 + [2]])
def test_times_that_divide_nothing_are_refused_in_one_line(times):
    with pytest.raises(DataError, match=r"^Expected times in the column 'at' \(`data\.splits\.time`\) that divide .*another column"):
        time_split.bounds([part(times)], BY_TIME)


@pytest.mark.parametrize(
    "times",
    [
        [7, 1499, 1500, 2019, 2500, 2501, 43_831, 99_999, 100_000, 2_000_000_000],
        ["0,5", "1,5", "10,25"],
        ["2019-03-05", "2019-11-01 10:30", "2020-01-01"],
        ["5/3/2019", "1/11/2019", "1/1/2020"],
    ],
    ids=["steps", "decimal comma", "dates", "the day first"],
)
def test_rows_of_csv_are_in_the_order_of_a_column_of_steps_or_of_dates_that_is_no_feature(tmp_path, times):
    path = tmp_path / "t.csv"
    path.write_text("at;x\n" + "".join(f"{each};1\n" for each in times), encoding="utf-8")
    config = DataConfig(format="csv", path=str(path), splits=BY_TIME, csv={"delimiter": ";", "decimal": ","})
    with source.open_data(config, Columns(kept={"x": "float"}, orders={"at": "day_first"})) as (parts, _):
        found = [
            value
            for part in parts
            for rows in part.read(lambda reject: pytest.fail(str(reject)))
            for value in rows.batch.column("at").to_pylist()
        ]
    assert len(found) == len(times)
    assert found == sorted(set(found))


def test_a_row_whose_time_is_none_is_told_and_left_out(tmp_path):
    path, told = tmp_path / "t.csv", []
    path.write_text("at,x\n2019-03-05,1\nsoon,2\n,3\n2019-03-07,4\n", encoding="utf-8")
    config = DataConfig(format="csv", path=str(path), splits=BY_TIME, csv={"delimiter": ","})
    with source.open_data(config, Columns(kept={"x": "float"})) as (parts, _):
        kept = [value for part in parts for rows in part.read(told.append) for value in rows.batch.column("x").to_pylist()]
    assert kept == [1, 3, 4]
    assert [(reject.line, reject.reason) for reject in told] == [(3, "column 'at': 'soon' is no time")]


def test_where_no_row_can_be_read_the_first_ones_reason_is_said(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("at,x\n2019-03-05,a\n2019-03-06,b\n2019-03-07,c\n", encoding="utf-8")
    config = DataConfig(format="csv", path=str(path), splits=BY_TIME, csv={"delimiter": ","})
    with (
        source.open_data(config, Columns(kept={"x": "float"})) as (parts, _),
        pytest.raises(DataError, match=r"Received: none that can be read: line 2 of t\.csv: column 'x': 'a' is no number\.$"),
    ):
        time_split.bounds(parts, BY_TIME)
