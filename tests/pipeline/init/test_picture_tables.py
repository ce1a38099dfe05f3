"""Pictures are named by tables of any format, one for all or one for each split, as Hugging Face's ImageFolder has them."""

import json
import random

import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from components.example_gen import raw_files, source


def as_csv(path, rows):
    path.write_text("file_name,label\n" + "".join(f"{row['file_name']},{row['label']}\n" for row in rows))


def as_json_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def as_parquet(path, rows):
    parquet.write_table(pa.Table.from_pylist(rows), path)


WAYS = {"metadata.csv": as_csv, "metadata.jsonl": as_json_lines, "labels.parquet": as_parquet}


@pytest.fixture
def fill(tmp_path):
    """fill(folder, table, rows=30): pictures in a folder below `photos`, and the table in it that names them."""
    generator = random.Random(5)  # noqa: S311 - made-up pixels

    def make(folder, table, rows=30):
        place = tmp_path / "photos" / folder
        place.mkdir(parents=True, exist_ok=True)
        for number in range(rows):
            Image.frombytes("RGB", (8, 8), generator.randbytes(192)).save(place / f"{number}.png")
        WAYS[table](place / table, [{"file_name": f"{number}.png", "label": ("cat", "dog")[number % 2]} for number in range(rows)])

    return make


def rows_of(config):
    """{split: how many rows are read from its tables}."""
    with source.open_data(config.data, config.columns) as (parts, _):
        found = [(part.split, rows) for part in parts for rows in part.read(pytest.fail)]
    assert all(rows.batch.column("file_name").type == pa.binary() for _, rows in found)
    return {split: sum(len(rows.lines) for name, rows in found if name == split) for split, _ in found}


@pytest.mark.parametrize("table", WAYS)
@pytest.mark.parametrize("given", ["photos", "photos/{}"])
def test_a_table_of_each_format_names_pictures(init, fill, tmp_path, table, given):
    fill("", table)
    result = init(given.format(table))
    assert result.status == 0, result.err
    assert (result.config.data.format, result.config.data.path) == ("images", str(tmp_path / "photos" / table))
    assert (result.config.inputs.kinds, result.config.label) == ({"file_name": "image"}, "label")
    assert rows_of(result.config) == {None: 30}


@pytest.mark.parametrize("table", WAYS)
def test_folders_of_splits_may_each_have_a_table_of_their_pictures(init, fill, tmp_path, table):
    for number, folder in enumerate(("train", "validation", "test")):
        fill(folder, table, 30 + 2 * number)
    result = init("photos")
    assert result.status == 0, result.err
    data = result.config.data
    assert (data.format, data.path, data.is_list) == ("images", str(tmp_path / "photos"), True)
    assert dict(data.splits.files) == {"train": f"train/{table}", "eval": f"validation/{table}", "test": f"test/{table}"}
    assert rows_of(result.config) == {"train": 30, "eval": 32, "test": 34}
    assert len(raw_files.named_files(data)) == 30 + 32 + 34 + 3


def test_a_split_without_a_table_is_divided_from_train(init, fill):
    fill("train", "metadata.jsonl")
    fill("test", "metadata.jsonl")
    assert rows_of(init("photos").config) == {"test": 30, None: 30}


def test_tables_beside_each_other_may_name_pictures_of_one_folder(init, fill, tmp_path):
    fill("", "metadata.csv")
    (tmp_path / "photos" / "metadata.csv").rename(tmp_path / "photos" / "train.csv")
    as_csv(tmp_path / "photos" / "test.csv", [{"file_name": "1.png", "label": "dog"}, {"file_name": "2.png", "label": "cat"}])
    assert rows_of(init("photos").config) == {"test": 2, None: 30}


def test_tables_that_are_not_of_splits_are_not_chosen_from(init, fill, tmp_path):
    fill("", "metadata.csv")
    as_csv(tmp_path / "photos" / "others.csv", [{"file_name": "1.png", "label": "dog"}])
    result = init("photos")
    assert (result.status, result.text, result.err.count("\n")) == (1, None, 1)
