"""What data is, is told by what lies there; what cannot be read is said in one line, with the next step."""

import gzip
import struct
import zipfile

import numpy as np
import pytest


def write_idx(folder, prefix, rows=20):
    folder.mkdir(exist_ok=True)
    pixels = np.arange(rows * 6, dtype=np.uint8)
    images = struct.pack(">4I", 0x803, rows, 2, 3) + pixels.tobytes()
    (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
    (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, rows) + bytes(number % 4 for number in range(rows)))


def test_a_folder_of_idx_files_gets_a_config_of_its_pictures(init, tmp_path):
    for prefix in ("train", "t10k"):
        write_idx(tmp_path / "raw", prefix)
    result = init("raw")
    assert result.out.startswith("IDX: 20 train, 20 test pictures of 2 x 3, 4 classes.\n")
    written = result.config
    assert (written.data.format, written.data.path, written.name) == ("idx", str(tmp_path / "raw"), "raw")
    assert (written.trainer.classes, written.preprocessing.image_size) == (4, (2, 3))


@pytest.mark.parametrize("arguments", [("--label", "y"), ("--task", "regression")])
def test_idx_files_have_no_columns(init, tmp_path, arguments):
    write_idx(tmp_path / "raw", "train")
    result = init("raw", *arguments)
    assert (result.status, result.text) == (2, None)
    assert result.err.startswith(f"Expected no {arguments[0]} with IDX files")


@pytest.mark.parametrize(
    ("names", "given"),
    [(("a.csv", "b.parquet"), "data"), (("a.jsonl", "deeper/b.tfrecord.gz"), "data"), (("a.csv", "b.pq"), "data/*")],
)
def test_files_of_several_formats_are_refused_by_name(init, tmp_path, names, given):
    for name in names:
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_bytes(b"x")
    result = init(given)
    assert (result.status, result.text, result.err.count("\n")) == (2, None, 1)
    assert result.err.startswith(f"Expected files of one format in '{given}'. Received: ")
    assert all(f"('{name.rpartition('/')[2]}')" in result.err for name in names)


def test_a_pattern_that_the_shell_has_made_files_of_is_told_to_be_quoted(init, tmp_path):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("x,label\n1.5,a\n2.5,b\n")
    result = init("a.csv", "b.csv", "--yes")
    assert (result.status, result.text) == (2, None)
    assert result.err == "Expected one PATH. Received: 'a.csv', 'b.csv'. Put a pattern in quotes, 'data/*.csv', or name the folder.\n"


@pytest.mark.parametrize("beside", ["readme.txt", "about.json", "_SUCCESS", ".part.csv.crc", "_metadata.parquet"])
def test_what_says_something_about_a_table_is_no_table(write, init, some, tmp_path, beside):
    write("data/rows.csv", x=some(), y=some("a", "b"))
    (tmp_path / "data" / beside).write_bytes(b"x")
    assert init("data").config.data.format == "csv"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("tabel.csv", "Received: 'tabel.csv', which is not there. Did you mean 'table.csv'?"),
        ("nothing/*.csv", "Received: 'nothing/*.csv', which is not there."),
        ("empty", "Received: 'empty', a folder without files."),
        ("notes", "Received: 'notes', a folder with readme.md. Name the file."),
    ],
)
def test_where_there_is_no_data_the_line_says_what_there_is(write, init, some, tmp_path, given, said):
    write(x=some())
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "readme.md").touch()
    result = init(given)
    assert (result.status, result.text, result.err.count("\n")) == (2, None, 1)
    assert said in result.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Received: an empty file."),
        (b"\n \n", "Received: only blank lines."),
        (b"a,b\n", "Received: "),
        (b"\x7fELF\0\0\0\1" * 99, "which is binary data, with a NUL byte at offset 4."),
        (b"PAR1" + b"\1" * 99, "which is a Parquet file."),
        (gzip.compress(b"a,b\n1,2\n" * 99)[:-9], "which is truncated or corrupt"),
    ],
)
def test_a_file_that_is_no_table_ends_with_1_and_one_line(init, tmp_path, content, said):
    (tmp_path / "table.csv").write_bytes(content)
    result = init("table.csv", "--label", "a")
    assert (result.status, result.text, result.err.count("\n")) == (1, None, 1)
    assert said in result.err


def test_a_table_in_a_zip_archive_is_looked_at_and_of_several_none(tmp_path, init):
    rows = "size,label\n" + "".join(f"{number * 7 % 31},{'ab'[number % 3 % 2]}\n" for number in range(60))
    for name, files in {"one.zip": ["x.csv", "README.txt"], "two.zip": ["x.csv", "y.csv"]}.items():
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for file in files:
                archive.writestr(file, rows)
    assert init("one.zip").config.data.format == "csv"
    assert init("two.zip", output="other.yaml").err == (
        "Expected one table in 'two.zip'. Received: 'x.csv', 'y.csv'. Unpack it, and name those that belong together.\n"
    )
