"""The one table in a zip archive is read as if it lay beside it."""

import hashlib
import zipfile

import pyarrow as pa
import pytest

from components.example_gen.readers import zipped
from components.example_gen.readers.csv_file import open_csv
from components.example_gen.readers.dialect import Dialect
from components.example_gen.readers.json_lines import open_json_lines
from components.example_gen.readers.sniffer import sniff
from trainer.errors import DataError


@pytest.fixture
def pack(tmp_path):
    """pack({name: text}): a zip archive of these files."""

    def make(files):
        path = tmp_path / "x.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        return path

    return make


def test_a_damaged_name_that_is_empty_hides_no_table(pack):
    path = pack({"x.csv": "a,b\n1,2\n", "?y": ""})
    path.write_bytes(path.read_bytes().replace(b"?y", b"\0y"))  # a name ends at the first NUL
    assert zipped.table_in(path) == "x.csv"


@pytest.mark.parametrize(
    ("names", "table"),
    [
        (["x.csv"], "x.csv"),
        (["data/", "data/x.CSV", "__MACOSX/data/._x.CSV", ".DS_Store", "readme.txt"], "data/x.CSV"),
        (["x.jsonl", "notes.txt"], "x.jsonl"),
        (["README.txt", "spam.txt"], "spam.txt"),
        (["a.csv", "b.csv"], ""),
        (["x.csv", "cat/1.jpg"], ""),
        (["[Content_Types].xml", "xl/workbook.xml"], ""),
        ([], ""),
    ],
)
def test_the_table_is_the_only_one_of_its_kind_beside_what_is_about_it(pack, names, table):
    assert zipped.table_in(pack(dict.fromkeys(names, ""))) == table


def test_csv_and_json_lines_in_an_archive_are_read_and_the_digest_is_that_of_the_archive(pack):
    path = pack({"d/x.csv": "x,y\n1,a\n2,b\n", "readme.txt": "the data"})
    assert sniff(path).columns == ("x", "y")
    [part] = open_csv([path], Dialect(), {"x": pa.float64()})
    [rows] = part.read(lambda reject: None)
    assert rows.batch.to_pydict() == {"x": [1, 2]}
    assert part.files == {"x.zip": hashlib.sha256(path.read_bytes()).hexdigest()}
    path = pack({"x.jsonl": '{"x": 1}\n'})
    [part] = open_json_lines(path, {"x": pa.float64()})
    [rows] = part.read(lambda reject: None)
    assert rows.batch.to_pydict() == {"x": [1]}


def test_an_archive_that_is_broken_is_told(pack):
    path = pack({"x.csv": "x,y\n" + "1,a\n" * 99})
    data = bytearray(path.read_bytes())
    data[36:40] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    with pytest.raises(DataError, match="Expected a sound zip file"):
        sniff(path)
