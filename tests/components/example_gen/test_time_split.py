"""Rows divided by time: the earliest teach, the latest test."""

import numpy as np
import pyarrow as pa
import pytest

from components.example_gen import time_split
from components.example_gen.config import SplitsConfig
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
