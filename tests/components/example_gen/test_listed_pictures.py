"""A table that names pictures: each row gets its picture and keeps what else the table says; rows without one are told by their line."""

import io
import json
import pickle

import pytest
from PIL import Image

from components.example_gen import raw_files, source
from components.example_gen.columns import Columns
from components.example_gen.config import DataConfig
from components.example_gen.readers.listed_pictures import named_file, names_in
from trainer.errors import ConfigError, DataError

COLUMNS = Columns(kept={"file": "bytes", "label": "string", "weight": "float"}, label="label")


def picture(number, kind="PNG"):
    file = io.BytesIO()
    Image.new("RGB", (8, 6), (number, 0, 0)).save(file, kind)
    return file.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Holds `photos/1.png`, `photos/x/2.png` and, beside the folder, `5.png`."""
    (tmp_path / "photos" / "x").mkdir(parents=True)
    for name, number in (("photos/1.png", 1), ("photos/x/2.png", 2), ("5.png", 5)):
        (tmp_path / name).write_bytes(picture(number))
    return tmp_path / "photos"


def read(path, columns=COLUMNS, **settings):
    """(rows as dicts, {line: reason}), as a worker gets them."""
    rows, rejects = [], []
    with source.open_data(DataConfig(format="images", path=str(path), **settings), columns) as (parts, _):
        for part in pickle.loads(pickle.dumps(parts)):  # noqa: S301  # our own
            for given in part.read(rejects.append):
                rows += [{**row, "line": line} for row, line in zip(given.batch.to_pylist(), given.lines.tolist(), strict=True)]
    return rows, {reject.line: reject.reason for reject in rejects}


def table(folder, *rows, name="labels.csv"):
    path = folder / name
    path.write_text("\n".join(["file,label,weight", *rows]) + "\n", encoding="utf-8")
    return path


def test_each_row_gets_the_picture_that_it_names_beside_its_other_columns(folder):
    rows, rejects = read(table(folder, "1.png,cat,0.5", "./x/2.png,犬,7"))
    assert rows == [
        {"file": picture(1), "label": "cat", "weight": 0.5, "line": 2},
        {"file": picture(2), "label": "犬", "weight": 7.0, "line": 3},
    ]
    assert not rejects


def test_json_lines_name_pictures_as_well(folder):
    path = folder / "metadata.jsonl"
    lines = [{"file": "1.png", "label": "cat", "weight": 1}, {"file": "x/2.png", "label": "dog"}]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    rows, _ = read(path)
    assert [(row["file"], row["label"], row["weight"]) for row in rows] == [(picture(1), "cat", 1.0), (picture(2), "dog", None)]


def test_a_name_may_lack_its_suffix_and_pictures_may_be_in_a_folder_of_their_own(folder):
    rows, rejects = read(table(folder, "2,cat,1"), pictures="x")
    assert ([row["file"] for row in rows], rejects) == ([picture(2)], {})


def test_a_path_that_windows_has_written_names_its_picture_and_leads_no_more_outside_than_another(folder):
    path = table(folder, r".\x\2.png,cat,1", r"x\2,dog,2", r"..\5.png,cat,3", r"x\3.png,cat,4")
    rows, rejects = read(path)
    assert [(row["file"], row["label"]) for row in rows] == [(picture(2), "cat"), (picture(2), "dog")]
    assert rejects == {4: "'../5.png', not below the folder 'photos'", 5: "'x/3.png', not there"}
    assert named_file(folder, r"x\2") == "x/2.png"
    assert named_file(folder, r"..\5.png") is None


def test_where_two_pictures_differ_in_their_suffix_alone_a_name_without_it_is_none(folder):
    (folder / "1.jpg").write_bytes(picture(3, "JPEG"))
    rows, rejects = read(table(folder, "1,cat,1", "1.jpg,cat,1"))
    assert len(rows) == 1
    assert rejects == {2: "'1', which 1.jpg and 1.png could be"}


def test_what_is_not_there_outside_of_the_folder_or_broken_is_told_by_its_line(folder):
    (folder / "half.png").write_bytes(picture(1)[:40])
    (folder / "none.png").symlink_to(folder / "nothing")
    (folder / "notes.txt").touch()
    names = [
        "1.png",
        "7.png",
        "../5.png",
        str(folder.parent / "5.png"),
        "x/../../5.png",
        "",
        "half.png",
        "none.png",
        "notes.txt",
        "x",
        "y" * 300,
    ]
    rows, rejects = read(table(folder, *(f"{name},cat,1" for name in names)))
    assert [row["line"] for row in rows] == [2]
    assert rejects == {
        3: "'7.png', not there",
        4: "'../5.png', not below the folder 'photos'",
        5: f"'{folder.parent / '5.png'}', not below the folder 'photos'",
        6: "'x/../../5.png', not below the folder 'photos'",
        7: "no picture is named",
        8: rejects[8],
        12: f"'{'y' * 300}', not there",
        9: "'none.png', a link to nothing",
        10: "'notes.txt', no picture by its name (.bmp, .dib, .gif, .jfif, .jpe, .jpeg, .jpg, .png, .webp)",
        11: "'x', no picture by its name (.bmp, .dib, .gif, .jfif, .jpe, .jpeg, .jpg, .png, .webp)",
    }
    assert rejects[8].startswith("'half.png', truncated")


def test_equal_pictures_get_equal_hashes_so_that_they_stay_in_one_split(folder):
    (folder / "copy.png").write_bytes(picture(1))
    path = table(folder, "1.png,cat,1", "x/2.png,cat,1", "copy.png,dog,3")
    with source.open_data(DataConfig(format="images", path=str(path)), COLUMNS) as ([part], _):
        [rows] = part.read(pytest.fail)
    first, other, copy = rows.hashes.tolist()
    assert first == copy != other


def test_a_picture_that_changes_after_the_table_was_opened_ends_the_reading(folder):
    path = table(folder, "1.png,cat,1")
    with source.open_data(DataConfig(format="images", path=str(path)), COLUMNS) as ([part], _):
        (folder / "1.png").write_bytes(picture(9))
        with pytest.raises(DataError, match=r"1\.png' to stay as it is while it is read"):
            list(part.read(pytest.fail))


def test_the_fingerprint_is_of_the_table_and_of_every_picture(folder):
    data = DataConfig(format="images", path=str(table(folder, "1.png,cat,1")))
    seen = {raw_files.fingerprint(data)}
    (folder / "x" / "2.png").write_bytes(picture(8))
    seen.add(raw_files.fingerprint(data))
    table(folder, "1.png,dog,1")
    seen.add(raw_files.fingerprint(data))
    assert len(seen) == 3


@pytest.mark.parametrize("below", ["..", "../photos", "/", "x/../.."])
def test_a_folder_of_pictures_outside_of_the_tables_is_refused(folder, below):
    with pytest.raises(ConfigError, match=rf"to be a folder below '.*photos', that of the list\. Received: '{below}'"):
        read(table(folder, "1.png,cat,1"), pictures=below)


def test_a_folder_or_a_table_that_is_not_there_is_refused(folder):
    with pytest.raises(ConfigError, match=r"`data\.pictures`\. Received: '.*photos/y', which is not there"):
        read(table(folder, "1.png,cat,1"), pictures="y")
    with pytest.raises(ConfigError, match=r"Received: '.*label\.csv', which is not there\. Did you mean 'labels\.csv'\?"):
        raw_files.fingerprint(DataConfig(format="images", path=str(folder / "label.csv")))


@pytest.mark.parametrize(
    "name", ["a/1.png", "a/1", "a/1.PNG", "a/none", "none/1", "", "a", "../a/1.png", "a//1.png", "./a/1", "a\0b", "1.5"]
)
def test_a_name_is_found_alike_one_by_one_and_by_what_is_in_the_folders(tmp_path, name):
    (tmp_path / "a").mkdir()
    for file in ("a/1.png", "1.5.JPG"):
        (tmp_path / file).touch()
    (tmp_path / "a" / "2.png").mkdir()
    found = named_file(tmp_path, name)
    assert named_file(tmp_path, name, names_in) == found
    assert (found is None) == (name not in ("a/1.png", "a/1", "a//1.png", "./a/1", "1.5"))
