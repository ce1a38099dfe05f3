"""Values are read in one spelling, where the dialect says so."""

import pyarrow as pa

from components.example_gen.readers.csv_file import open_csv
from components.example_gen.readers.dialect import Dialect

ROWS = "x,y,z\n1,yes , 5\n2,\u00a0YES,\u200b6\n3, NA ,7\n4,no,8\n"


def read(path, dialect):
    [part] = open_csv([path], dialect, {"y": pa.string(), "z": pa.float64()})
    [rows] = part.read(lambda reject: None)
    return rows.batch.to_pydict()


def test_spaces_around_values_and_other_spellings_go_where_the_dialect_says_so(tmp_path):
    path = tmp_path / "said.csv"
    path.write_text(ROWS, encoding="utf-8")
    read_so = read(path, Dialect(trim=True, replace={"YES": "yes"}))
    assert read_so == {"y": ["yes", "yes", None, "no"], "z": [5, 6, 7, 8]}


def test_values_stay_as_they_are_elsewhere(tmp_path):
    path = tmp_path / "said.csv"
    path.write_text(ROWS.replace("\u200b", ""), encoding="utf-8")
    assert read(path, Dialect())["y"] == ["yes ", "\u00a0YES", " NA ", "no"]
