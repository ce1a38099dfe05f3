"""Files and folders that are named after splits are those splits, whatever their format."""

import pytest

from components.example_gen import source
from tests.pipeline.init.typed_files import WRITERS

ROWS = 120
HASH = "-a09b74b3ef9c3b56"


def as_csv(path, rows):
    path.write_text("x,label\n" + "".join(f"{row['x']},{row['label']}\n" for row in rows))


WAYS = {".csv": as_csv, ".parquet": WRITERS["rows.parquet"], ".jsonl.gz": WRITERS["rows.json.gz"], ".tfrecord": WRITERS["rows.tfrecord"]}


@pytest.fixture
def make(tmp_path):
    """make(*names): files of a table below `data`; the rows of each are told by `x`, which begins with the file's number."""

    def write(*names):
        for number, name in enumerate(names):
            path = tmp_path / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = [{"x": number * ROWS + row + 0.5, "flag": True, "label": "ab"[row % 3 % 2]} for row in range(ROWS)]
            next(way for suffix, way in WAYS.items() if suffix in name)(path, rows)

    return write


def numbers_of(config):
    """{split: the numbers of the files that it is read from}, None of what is divided."""
    with source.open_data(config.data, config.columns) as (parts, _):
        found = {}
        for part in parts:
            for rows in part.read(pytest.fail):
                found.setdefault(part.split, set()).update(int(x // ROWS) for x in rows.batch.column("x").to_pylist())
    return found


@pytest.mark.parametrize("suffix", WAYS)
def test_files_of_each_format_are_the_splits_after_which_they_are_named(init, make, suffix):
    make(f"train{suffix}", f"valid{suffix}", f"test{suffix}")
    result = init("data")
    assert result.status == 0, result.err
    assert dict(result.config.data.splits.files) == {"train": f"train{suffix}", "eval": f"valid{suffix}", "test": f"test{suffix}"}
    assert numbers_of(result.config) == {"train": {0}, "eval": {1}, "test": {2}}


@pytest.mark.parametrize("suffix", WAYS)
def test_so_are_the_files_of_folders(init, make, suffix):
    make(f"train/a{suffix}", f"train/b{suffix}", f"val/a{suffix}", f"test/a{suffix}")
    assert numbers_of(init("data").config) == {"train": {0, 1}, "eval": {2}, "test": {3}}


@pytest.mark.parametrize(
    "names",
    [
        ("train-00000-of-00002.parquet", "train-00001-of-00002.parquet", "test-00000-of-00001.parquet"),
        (
            f"train-00000-of-00002{HASH}.parquet",
            "train-00001-of-00002-ffff74b3ef9c3b56.parquet",
            f"test-00000-of-00001{HASH}.parquet",
        ),
        ("train.tfrecord-00000-of-00002", "train.tfrecord-00001-of-00002", "test.tfrecord-00000-of-00001"),
        ("flowers_train_1.csv", "flowers_train_2.csv", "flowers_test_1.csv"),
    ],
)
def test_shards_of_a_split_are_read_together_and_the_rest_is_divided_for_a_split_without_files(init, make, names):
    make(*names)
    written = init("data").config
    assert set(written.data.splits.files) == {"train", "test"}
    assert numbers_of(written) == {None: {0, 1}, "test": {2}}


@pytest.mark.parametrize(
    "names",
    [
        ("train.parquet", "other.parquet"),
        ("train.csv", "train_extra.csv"),
        ("old_train.jsonl.gz", "new_test.jsonl.gz"),
        ("eval.parquet", "test.parquet"),
        ("train.parquet", "test/a.parquet"),
    ],
)
def test_files_that_also_differ_otherwise_are_no_splits(init, make, names):
    make(*names)
    written = init("data").config
    assert written.data.splits.files is None
    assert numbers_of(written) == {None: {0, 1}}
