"""Equal rows in two splits, through the ingestion for real: found, counted, told and, by config, dropped."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

from components.example_gen import duplicates, executor, raw_files, split
from components.example_gen.columns import Columns
from components.example_gen.config import DataConfig, SplitsConfig
from components.example_gen.readers import csv_file
from trainer.errors import DataError

COLUMNS = Columns(kept={"size": "float", "at": "int", "species": "string"}, label="species")
# (size, at, species) by split; test's second row stands three times, and one row's label is another than in train.
TRAIN = [("1", "2024-01-01", "cat"), ("2", "", "dog"), ("2", "", "dog"), ("3", "2024-01-03", "cat"), ("", "2024-01-09", "cat")]
EVAL = [("2.0", "", "dog"), ("7", "2024-01-07", "cat"), ("3", "2024-01-03", "dog")]
TEST = [
    ("1", "2024-01-01", "cat"),
    ("7", "2024-01-07", "cat"),
    ("7", "2024-01-07", "cat"),
    ("9", "2024-01-09", "dog"),
    ("", "2024-01-09", "cat"),
]
SAME = {"eval": {"same": 1, "relabelled": 1}, "test": {"same": 4, "relabelled": 0}}


def table(rows, extra=""):
    return f"size,at,species{',' + extra if extra else ''}\n" + "".join(f"{','.join(row)}\n" for row in rows)


@pytest.fixture
def ingest(beam_context, tmp_path):
    """ingest(columns, **settings): the Examples artifact of a DataConfig with these settings."""

    def run(columns=COLUMNS, **settings):
        data = DataConfig(**settings)
        artifact = standard_artifacts.Examples()
        artifact.uri = str(tmp_path / "examples")
        properties = {"data": data.to_json(), "columns": columns.to_json(), "fingerprint": raw_files.fingerprint(data)}
        executor.Executor(beam_context(tmp_path)).Do({}, {"examples": [artifact]}, properties)
        return artifact

    return run


@pytest.fixture
def by_files(tmp_path, ingest):
    """by_files(**splits): the table whose splits are three files."""

    def run(**splits):
        for name, rows in {"train": TRAIN, "eval": EVAL, "test": TEST}.items():
            (tmp_path / f"{name}.csv").write_text(table(rows))
        files = {name: f"{name}.csv" for name in split.SPLITS}
        return ingest(format="csv", path=str(tmp_path), splits=SplitsConfig(files=files, **splits))

    return run


def found(artifact):
    return json.loads(artifact.get_string_custom_property("duplicates") or "{}")


def sizes(artifact, name):
    """The sizes of a split's rows in order, None where there is none."""
    files = sorted(str(path) for path in Path(artifact.uri, f"Split-{name}").iterdir())
    rows = [tf.train.Example.FromString(record.numpy()).features.feature for record in tf.data.TFRecordDataset(files, "GZIP")]
    return [next(iter(row["size"].float_list.value), None) for row in rows]


def test_rows_of_a_later_split_that_an_earlier_one_has_are_counted_and_told_and_stay(by_files):
    artifact = by_files()
    assert found(artifact) == {name: counts | {"dropped": 0} for name, counts in SAME.items()}
    assert (sizes(artifact, "eval"), sizes(artifact, "test")) == ([2, 7, 3], [1, 7, 7, 9, None])
    assert json.loads(artifact.get_string_custom_property("notes")) == [
        "1 of 3 rows of the split 'eval' is exactly the same in train, so it measures better than new rows would. "
        "`data.splits.duplicates: drop` leaves them out.",
        "1 of 3 rows of the split 'eval' has the features of a row in train, but another label.",
        "4 of 5 rows of the split 'test' are exactly the same in train or eval, so it measures better than new rows would. "
        "`data.splits.duplicates: drop` leaves them out.",
    ]
    assert {path.name for path in Path(artifact.uri).iterdir()} == {"origin.json", *(f"Split-{name}" for name in split.SPLITS)}


def test_drop_takes_them_out_of_the_later_split_alone(by_files):
    artifact = by_files(duplicates="drop")
    assert {name: sizes(artifact, name) for name in split.SPLITS} == {"train": [1, 2, 2, 3, None], "eval": [7, 3], "test": [9]}
    assert [artifact.get_int_custom_property(f"rows_{name}") for name in split.SPLITS] == [5, 2, 1]
    assert found(artifact) == {name: counts | {"dropped": counts["same"]} for name, counts in SAME.items()}
    assert json.loads(artifact.get_string_custom_property("notes"))[-1] == (
        "4 of 5 rows of the split 'test' were dropped: exactly the same in train or eval."
    )


def test_where_nothing_is_left_of_a_split_the_rows_that_were_dropped_are_named(ingest, tmp_path):
    (tmp_path / "rows.csv").write_text(table([(*row, part) for part in ("train", "eval", "test") for row in TRAIN[:1]], "part"))
    with pytest.raises(DataError, match=r"^Expected rows in the split 'eval'\. Received none of 1 but 1 that are in an earlier split too"):
        ingest(format="csv", path=str(tmp_path / "rows.csv"), splits=SplitsConfig(column="part", duplicates="drop"))


@pytest.mark.parametrize("way", ["column", "group", "time"])
def test_a_column_groups_and_times_may_part_equal_rows_too_and_their_own_column_makes_none_different(ingest, tmp_path, way):
    parts = {"column": ("train", "val", "test"), "group": [str(number) for number in range(40)], "time": range(2000, 2040)}[way]
    rows = [("1", "2024-01-01", "cat", str(part)) for part in parts]
    (tmp_path / "rows.csv").write_text(table(rows, "part"))
    artifact = ingest(format="csv", path=str(tmp_path / "rows.csv"), splits=SplitsConfig(**{way: "part"}))
    counts = {name: artifact.get_int_custom_property(f"rows_{name}") for name in ("eval", "test")}
    assert {name: each["same"] for name, each in found(artifact).items()} == counts


def test_shares_keep_equal_rows_together_so_nothing_is_looked_for(ingest, tmp_path):
    (tmp_path / "rows.csv").write_text(table([(str(row % 20), "", "cat") for row in range(60)]))
    artifact = ingest(format="csv", path=str(tmp_path / "rows.csv"), splits=SplitsConfig(train=1, eval=1, test=1))
    assert not found(artifact)
    parts = [set(sizes(artifact, name)) for name in split.SPLITS]
    assert sum(len(part) for part in parts) == len(set.union(*parts))


def test_equal_rows_are_found_in_other_shards_and_beside_other_missing_values(by_files, monkeypatch):
    monkeypatch.setattr(csv_file, "MOST_ROWS", 1)
    assert found(by_files(duplicates="drop")) == {name: counts | {"dropped": counts["same"]} for name, counts in SAME.items()}


def test_pictures_are_the_same_by_their_bytes(ingest, tmp_path, images):
    pictures = images(6)
    for name, chosen in {"train/cat": (0, 1), "train/dog": (2, 3), "val/cat": (0, 4), "test/dog": (1, 3, 5)}.items():
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in chosen:
            (tmp_path / "pets" / name / f"{number}.png").write_bytes(tf.io.encode_png(pictures[number][..., None]).numpy())
    columns = Columns(kept={"image": "bytes", "label": "string"}, label="label")
    artifact = ingest(columns, format="images", path=str(tmp_path / "pets"), splits=SplitsConfig(duplicates="drop"))
    assert found(artifact) == {
        "eval": {"same": 1, "relabelled": 0, "dropped": 1},
        "test": {"same": 1, "relabelled": 1, "dropped": 1},
    }
    assert artifact.get_int_custom_property("rows_test") == 2


def test_official_test_pictures_that_are_in_train_are_counted(ingest, tmp_path, write_idx, images, labels):
    folder = write_idx(tmp_path / "raw", images(60), labels(60))
    write_idx(folder, np.concatenate([images(4), images(3, seed=1)]), labels(7), "t10k")
    artifact = ingest(Columns(), format="idx", path=str(folder))
    assert found(artifact)["test"] == {"same": 4, "relabelled": 0, "dropped": 0}


def test_whole_numbers_are_the_same_rows_whether_a_neighbour_has_none_or_not():
    hashes = [split.hashes_of_rows(pa.RecordBatch.from_arrays([pa.array(rows, pa.int64())], names=["at"])) for rows in ([5], [5, None])]
    assert hashes[0][0] == hashes[1][0] != hashes[1][1]


def test_rows_whose_feature_equals_their_label_are_as_different_as_others():
    values = pa.array(range(9))
    features = split.hashes_of_rows(pa.RecordBatch.from_arrays([values], names=["x"]))
    assert len(np.unique(duplicates.hashes(features, values)[:, 1])) == 9


def test_hashes_of_an_earlier_try_are_not_among_those_of_this_one(by_files, tmp_path):
    duplicates.write(np.zeros((3, 2), np.uint64), str(tmp_path / "examples" / "hashes"), "train", "data_tfrecord-07-00000.gz")
    assert found(by_files(duplicates="drop")) == {name: counts | {"dropped": counts["same"]} for name, counts in SAME.items()}
    duplicates.write(np.zeros((3, 2), np.uint64), str(tmp_path / "examples" / "hashes"), "test", "data_tfrecord-07-00000.gz")
    assert "of 5 rows of the split 'test'" in json.loads(by_files().get_string_custom_property("notes"))[-1]
