"""The header once more, totals and notes are no rows of a CSV file, and nothing is said of them."""

import pyarrow as pa
import pytest

from components.example_gen.readers.csv_file import open_csv
from components.example_gen.readers.dialect import Dialect


def read(path, dialect, **columns):
    """(rows, their lines, how many are told to be left out) of a file."""
    [part] = open_csv([path], dialect, columns)
    rejects, rows, lines = [], [], []
    for given in part.read(rejects.append):
        rows += zip(*(column.to_pylist() for column in given.batch.columns), strict=True)
        lines += given.lines.tolist()
    return rows, lines, len(rejects)


@pytest.mark.parametrize("again", ["x,y", "\N{BYTE ORDER MARK}x,y", "x,y "])
def test_the_header_is_no_row_further_down(tmp_path, again):
    path = tmp_path / "two.csv"
    path.write_text(f"x,y\n1,a\n{again}\n2,b\n3,x\n", encoding="utf-8-sig")
    assert read(path, Dialect(encoding="utf-8-sig"), x=pa.float64(), y=pa.string()) == ([(1, "a"), (2, "b"), (3, "x")], [2, 4, 5], 0)


def test_the_header_is_no_row_in_a_later_block_either(tmp_path):
    path = tmp_path / "large.csv"
    path.write_text("x,y\n" + f"1,{'a' * 9999}\n" * 900 + "x,y\n2,b\n", encoding="ascii")
    rows, lines, rejects = read(path, Dialect(), x=pa.float64())
    assert (len(rows), rows[-1], lines[-1], rejects) == (901, (2,), 903, 0)


@pytest.mark.parametrize(("text", "dialect"), [("y\na\ny\n", Dialect()), ("x,y\n1,y\n", Dialect(header=False, names=("n", "y")))])
def test_in_one_column_or_without_a_header_a_row_may_be_like_the_first(tmp_path, text, dialect):
    path = tmp_path / "one.csv"
    path.write_text(text, encoding="ascii")
    assert read(path, dialect, y=pa.string())[0][-1] == ("y",)


def test_what_begins_as_the_dialect_says_is_no_row_however_many_fields_it_has(tmp_path):
    path = tmp_path / "sums.csv"
    path.write_text('x;y\n1;a\n"Total";9\n;Total;\nTotal 7;b\nSource: us\n2;Total\n 3;Totals\n', encoding="ascii")
    dialect = Dialect(delimiter=";", not_rows=("Total", "Source: us"))
    assert read(path, dialect, x=pa.string(), y=pa.string()) == (
        [("1", "a"), ("Total 7", "b"), ("2", "Total"), (" 3", "Totals")],
        [2, 5, 7, 8],
        0,
    )
