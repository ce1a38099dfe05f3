"""Both sides of a reader's benchmark read the same rows, and what is printed says whether the bar is met."""

import pandas as pd
import pytest

from benchmarks import generated_pictures, generated_table
from benchmarks.printed import verdict
from benchmarks.reading import READERS, measure

ROWS = 40


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """{format: a file or folder of ROWS rows}."""
    folder = tmp_path_factory.mktemp("rows")
    table = generated_table.write_csv(folder / "x.csv", ROWS)
    frame = pd.read_csv(table)
    frame.to_parquet(folder / "x.parquet")
    frame.to_json(folder / "x.jsonl", orient="records", lines=True)
    pictures = generated_pictures.write_folder(folder / "pictures", "PNG", ROWS)
    return {
        "csv": table,
        "parquet": folder / "x.parquet",
        "jsonl": folder / "x.jsonl",
        "folder": pictures,
        "zip": generated_pictures.write_zip(folder / "x.zip", generated_pictures.write_folder(folder / "jpeg", "JPEG", ROWS)),
    }


@pytest.mark.parametrize("kind", READERS)
def test_both_sides_read_every_row(paths, kind):
    for read in (READERS[kind].ours, READERS[kind].alone):
        assert measure(read, paths[kind], times=1)["rows"] == ROWS


def test_a_table_of_only_some_columns_is_read_too(tmp_path):
    pd.DataFrame({"number_0": [1.5, 2.5]}).to_csv(tmp_path / "x.csv", index=False)
    assert READERS["csv"].ours(tmp_path / "x.csv") == 2


def test_a_row_that_is_left_out_ends_the_benchmark(tmp_path):
    (tmp_path / "x.csv").write_text("number_0,label\n1,yes\nmany,no\n")
    with pytest.raises(SystemExit, match="'many' is no number"):
        READERS["csv"].ours(tmp_path / "x.csv")


@pytest.mark.parametrize(
    ("bar", "expected"),
    [
        ({"at_least": 1.0}, "**1.10** (bar: at least 1.0)"),
        ({"at_least": 1.2}, "**1.10** (bar: at least 1.2, missed)"),
        ({"at_most": 1.2}, "**1.10** (bar: at most 1.2)"),
        ({"at_most": 1.0}, "**1.10** (bar: at most 1.0, missed)"),
        ({}, "1.10"),
    ],
)
def test_a_ratio_is_printed_with_its_bar_and_whether_it_was_missed(bar, expected):
    assert verdict(1.1, **bar) == expected
