"""Data of every format gives the same rows from a bucket as from the disk, and only what is meant is fetched."""

import io
import pickle
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from PIL import Image
from pyarrow import parquet

from components.example_gen import raw_files, source
from components.example_gen.columns import Columns
from components.example_gen.config import DataConfig
from components.example_gen.readers.rows import place
from trainer.errors import ConfigError, DataError

COLUMNS = Columns(kept={"a": "float", "label": "string"}, label="label")
LISTED = Columns(kept={"file": "bytes", "label": "string"}, label="label")
TABLE = "a,label\n1,x\n2,y\n3,x\n"


def picture(number):
    file = io.BytesIO()
    Image.new("RGB", (8, 6), (number, 0, 0)).save(file, "PNG")
    return file.getvalue()


def write(folder, **files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def class_folders(folder):
    write(folder, **{f"{label}/{number}.png": picture(9 * number + len(label)) for label in ("cat", "horse") for number in range(3)})


def archived(folder, opened, add):
    class_folders(folder / "unpacked")
    with opened as archive:
        for path in sorted((folder / "unpacked").rglob("*.png")):
            add(archive)(path, path.relative_to(folder / "unpacked").as_posix())


def tfrecords(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as file:
        for number in range(3):
            features = {
                "a": tf.train.Feature(float_list=tf.train.FloatList(value=[number])),
                "label": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"x"])),
            }
            file.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


def parquet_file(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table({"a": [1.0, 2.0], "label": ["x", "y"]}), path)


def idx_files(folder, write_idx):
    write_idx(folder, np.arange(60, dtype=np.uint8).reshape(5, 4, 3), np.arange(5, dtype=np.uint8), zipped=True)


# What is written to a folder, what a config says of it, and which objects may be fetched.
CASES = {
    "csv": (
        lambda folder: write(folder, **{"a.csv": TABLE, "b.csv": TABLE}),
        {"format": "csv", "path": "a.csv"},
        COLUMNS,
        ["a.csv"],
    ),
    "csv of a pattern": (
        lambda folder: write(
            folder, **{"day-1/part-0.csv": TABLE, "day-2/part-0.csv": TABLE, "day-2/other.csv": TABLE, "week/part-0.csv": TABLE}
        ),
        {"format": "csv", "path": "day-*/part-*.csv"},
        COLUMNS,
        ["day-1/part-0.csv", "day-2/part-0.csv"],
    ),
    "csv of splits": (
        lambda folder: write(folder, **{"train.csv": TABLE, "test-1.csv": TABLE, "more.csv": TABLE}),
        {"format": "csv", "path": "", "splits": {"files": {"train": "train.csv", "test": "test-*.csv"}}},
        COLUMNS,
        ["test-1.csv", "train.csv"],
    ),
    "jsonl": (
        lambda folder: write(folder, **{"x/a.jsonl": '{"a": 1, "label": "x"}\n{"a": 2, "label": "y"}\n', "x/README": "words"}),
        {"format": "jsonl", "path": "x"},
        COLUMNS,
        ["x/a.jsonl"],
    ),
    "parquet": (
        lambda folder: (
            [parquet_file(folder / "t" / f"{name}.parquet") for name in ("a", "below/b")] + [write(folder, **{"t/_SUCCESS": ""})]
        ),
        {"format": "parquet", "path": "t/"},
        COLUMNS,
        ["t/a.parquet", "t/below/b.parquet"],
    ),
    "tfrecord": (
        lambda folder: tfrecords(folder / "r" / "x.tfrecord-00000-of-00001"),
        {"format": "tfrecord", "path": "r/*"},
        COLUMNS,
        ["r/x.tfrecord-00000-of-00001"],
    ),
    "pictures": (
        lambda folder: [class_folders(folder / "photos"), write(folder, **{"photos/cat/notes.txt": "words", "photosets/x.png": b""})],
        {"format": "images", "path": "photos"},
        Columns(),
        [f"photos/{label}/{number}.png" for label in ("cat", "horse") for number in range(3)],
    ),
    "zip": (
        lambda folder: archived(folder, zipfile.ZipFile(folder / "p.zip", "w"), lambda archive: archive.write),
        {"format": "images", "path": "p.zip"},
        Columns(),
        ["p.zip"],
    ),
    "tar": (
        lambda folder: archived(folder, tarfile.open(folder / "p.tar.gz", "w:gz"), lambda archive: archive.add),  # noqa: SIM115  # `with` is there
        {"format": "images", "path": "p.tar.gz"},
        Columns(),
        ["p.tar.gz"],
    ),
    "pictures of a table": (
        lambda folder: write(
            folder, **{"list.csv": "file,label\n1.png,x\n2.png,y\n", "p/1.png": picture(1), "p/2.png": picture(2), "q/3.png": picture(3)}
        ),
        {"format": "images", "path": "list.csv", "pictures": "p"},
        LISTED,
        ["list.csv", "p/1.png", "p/2.png"],
    ),
    "spans": (
        lambda folder: write(folder, **{f"day-{day}/v{version}/a.csv": TABLE for day in (8, 9, 10) for version in (1, 2)}),
        {"format": "csv", "path": "day-{SPAN}/v{VERSION}/*.csv", "window": 2},
        COLUMNS,
        ["day-10/v2/a.csv", "day-9/v2/a.csv"],
    ),
    "spans of pictures": (
        lambda folder: [class_folders(folder / "day-2026-11-26"), class_folders(folder / "day-2026-11-27")],
        {"format": "images", "path": "day-{YYYY}-{MM}-{DD}/"},
        Columns(),
        [f"day-2026-11-27/{label}/{number}.png" for label in ("cat", "horse") for number in range(3)],
    ),
}


def rows_of(config, columns):
    """(split, row, line, place) of all rows, as a worker reads them."""
    with source.open_data(config, columns) as (parts, fingerprint):
        rows = [
            (part.split, row, place(part, rows, number))
            for part in pickle.loads(pickle.dumps(parts))  # noqa: S301  # our own
            for rows in part.read(print)
            for number, row in enumerate(rows.batch.to_pylist())
        ]
    return rows, fingerprint


def in_place(settings, base):
    return DataConfig(**settings | {"path": f"{base}/{settings['path']}"})


@pytest.mark.parametrize("case", CASES)
def test_a_bucket_gives_the_rows_that_the_disk_gives_and_only_what_is_meant_is_fetched(bucket_server, tmp_path, case):
    make, settings, columns, fetched = CASES[case]
    make(tmp_path)
    bucket_server.upload(tmp_path, "bucket", "below/")
    expected, _ = rows_of(in_place(settings, tmp_path), columns)
    remote = in_place(settings, "gs://bucket/below")
    fingerprint = raw_files.fingerprint(remote)
    assert not bucket_server.downloads()
    assert rows_of(remote, columns) == (expected, fingerprint)
    assert expected
    assert bucket_server.downloads() == [f"below/{name}" for name in fetched]


def test_idx_files_are_read_from_a_bucket_itself(bucket_server, tmp_path, write_idx):
    idx_files(tmp_path, write_idx)
    bucket_server.upload(tmp_path, "bucket")
    expected, _ = rows_of(DataConfig(format="idx", path=str(tmp_path)), Columns())
    assert rows_of(DataConfig(format="idx", path="gs://bucket"), Columns())[0] == expected


def test_the_fingerprint_goes_by_names_and_content_and_not_by_when_it_was_uploaded(bucket_server):
    config = DataConfig(format="parquet", path="gs://bucket/t")
    bucket_server.put("bucket", "t/a.parquet", b"one")
    before = raw_files.fingerprint(config)
    bucket_server.put("bucket", "t/a.parquet", b"one")
    bucket_server.put("bucket", "t/_SUCCESS", b"")
    assert raw_files.fingerprint(config) == before
    bucket_server.put("bucket", "t/a.parquet", b"two")
    assert raw_files.fingerprint(config) != before


def test_a_long_listing_comes_whole(bucket_server):
    for number in range(120):
        bucket_server.put("bucket", f"t/{number}.csv", TABLE.encode())
    assert len(rows_of(DataConfig(format="csv", path="gs://bucket/t/*.csv"), COLUMNS)[0]) == 360


def test_the_newest_span_of_pictures_is_found_without_listing_the_others(bucket_server):
    for day in (1, 2):
        bucket_server.put("bucket", f"data/day-{day}/cat/1.png", picture(day))
    raw_files.fingerprint(DataConfig(format="images", path="gs://bucket/data/day-{SPAN}/"))
    listed = [path for path in bucket_server.requests if "prefix=" in path]  # some versions of Google's client ask for more
    assert [path.partition("prefix=")[2].partition("&")[0] for path in listed] == [
        "data%2Fday-",
        "data%2Fday-2",
        "data%2Fday-2%2F",
    ]
    assert "delimiter=%2F" in listed[0]


def test_how_much_is_copied_is_logged(bucket_server, caplog):
    bucket_server.put("bucket", "a.csv", TABLE.encode() * 100_000)
    caplog.set_level("INFO", "components")
    with source.open_data(DataConfig(format="csv", path="gs://bucket/*.csv", csv={"delimiter": ","}), COLUMNS):
        assert caplog.messages == ["Copying 1 objects, 2.0 MB, of bucket."]


def test_the_copy_is_gone_afterwards(bucket_server, temporary_files):
    bucket_server.put("bucket", "a.csv", TABLE.encode())
    with source.open_data(DataConfig(format="csv", path="gs://bucket/a.csv"), COLUMNS):
        assert list(Path(temporary_files).glob("tapeline-raw-*/bucket/a.csv"))
    assert not list(Path(temporary_files).glob("tapeline-raw-*"))


def test_errors_and_rejects_have_the_names_of_the_bucket(bucket_server):
    bucket_server.put("bucket", "a.csv", b"a,label\n1,x\n2\n")
    rejected = []
    with source.open_data(DataConfig(format="csv", path="gs://bucket/a.csv"), COLUMNS) as (parts, _):
        for part in parts:
            list(part.read(rejected.append))
    assert [(each.file, each.line) for each in rejected] == [("a.csv", 3)]
    bucket_server.put("bucket", "t/a.parquet", b"no Parquet")
    with pytest.raises(DataError, match=r"'gs://bucket/t/a\.parquet'") as refusal:
        rows_of(DataConfig(format="parquet", path="gs://bucket/t"), COLUMNS)
    assert tempfile.gettempdir() not in str(refusal.value)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (
            "gs://bucket/tabel.csv",
            "Expected a CSV file, or a pattern of some. Received: '{}', which is not there. Did you mean 'table.csv'?",
        ),
        ("gs://bucket/day", "Expected a CSV file, or a pattern of some. Received: '{}', which is a folder. Name the files: {}/*.csv."),
        ("gs://nowhere/a.csv", "Expected a bucket 'gs://nowhere' that you may see. Received: none of that name."),
        (
            "gs://secret/a.csv",
            "Expected '{}' to be readable for you. Received: 403 Anonymous caller does not have storage.objects.list access to secret. "
            "Grant the role Storage Object Viewer on the bucket; on a machine of your own: gcloud auth application-default login.",
        ),
        (
            "gs://bucket/day/{SPAN}.csv",
            "Expected files or folders that match '{}', digits in the place of each {{}}. Received: 'gs://bucket/day' with x.csv.",
        ),
        ("s3://bucket/a.csv", "Expected a path of this machine, or a place in a bucket, like gs://BUCKET/FOLDER. Received: '{}'."),
    ],
)
def test_what_is_not_there_is_one_line(bucket_server, path, said):
    bucket_server.put("bucket", "table.csv", TABLE.encode())
    bucket_server.put("bucket", "day/x.csv", TABLE.encode())
    bucket_server.refused.add("secret")
    with pytest.raises(ConfigError) as refusal:
        raw_files.fingerprint(DataConfig(format="csv", path=path))
    assert str(refusal.value) == said.format(path, path)


def test_a_bucket_has_no_folder_above(bucket_server):
    bucket_server.put("bucket", "a.csv", TABLE.encode())
    with pytest.raises(ConfigError, match=r"^Expected a place in a bucket without `\.\.`, .* Received: 'gs://bucket/x/\.\./a\.csv'\.$"):
        raw_files.fingerprint(DataConfig(format="csv", path="gs://bucket/x/../a.csv"))


def test_objects_that_change_while_they_are_copied_are_refused(bucket_server):
    bucket_server.put("bucket", "a.csv", TABLE.encode())
    bucket_server.before_download = lambda name: bucket_server.put("bucket", name, TABLE.encode())
    with pytest.raises(DataError) as refusal:
        rows_of(DataConfig(format="csv", path="gs://bucket/a.csv"), COLUMNS)
    assert str(refusal.value) == (
        "Expected 'gs://bucket/a.csv' to stay as it is while it is copied. Received: another, or none. Run again."
    )


@pytest.mark.parametrize("name", ["x/../../../a.csv", "x//a.csv", f"x/{'a' * 300}.csv"])
def test_an_object_that_no_file_can_be_called_like_is_refused(bucket_server, name):
    bucket_server.put("bucket", name, TABLE.encode())
    with pytest.raises(DataError, match=r"^Expected objects that files can be called like\. Received: 'gs://bucket/x/"):
        raw_files.fingerprint(DataConfig(format="parquet", path="gs://bucket/x"))


def test_a_folder_that_a_console_has_made_is_no_file(bucket_server):
    bucket_server.put("bucket", "t/", b"")
    bucket_server.put("bucket", "t/a.csv", TABLE.encode())
    assert len(rows_of(DataConfig(format="csv", path="gs://bucket/t/*"), COLUMNS)[0]) == 3
