"""`tapeline init` looks at a copy of what a bucket has; config, terminal and errors know the bucket alone."""

import tempfile

import pytest
from PIL import Image


@pytest.mark.parametrize(
    ("names", "place", "path"),
    [
        (("data/table.csv",), "gs://bucket/data/table.csv", "gs://bucket/data/table.csv"),
        (("data/a.csv", "data/b.csv"), "gs://bucket/data/", "gs://bucket/data/*.csv"),
        (("data/day-1/a.csv", "data/day-2/a.csv"), "gs://bucket/data/day-{SPAN}", "gs://bucket/data/day-{SPAN}/*.csv"),
    ],
)
def test_the_config_reads_the_bucket(write, init, some, bucket_server, tmp_path, names, place, path):
    for name in names:
        write(name, x=some(), y=some("a", "b"))
    bucket_server.upload(tmp_path, "bucket")
    result = init(place, "--yes")
    assert result.status == 0, result.err
    assert result.config.data.path == path
    assert "relative to this file" not in result.text
    assert tempfile.gettempdir() not in result.text + result.out + result.err
    assert bucket_server.downloads() == [name for name in names if "day-1" not in name]


def test_pictures_are_looked_at(init, bucket_server, tmp_path):
    for number in range(20):
        path = tmp_path / "photos" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), number).save(path)
    bucket_server.upload(tmp_path, "bucket")
    result = init("gs://bucket/photos")
    assert (result.status, result.config.data.format, result.config.data.path) == (0, "images", "gs://bucket/photos")


def test_what_is_not_there_is_told_by_the_buckets_name(init, bucket_server):
    bucket_server.put("bucket", "table.csv", b"x,y\n1,a\n")
    result = init("gs://bucket/tabel.csv")
    assert result.status == 2
    assert "Received: 'gs://bucket/tabel.csv', which is not there. Did you mean 'table.csv'?" in result.err


def test_more_than_anybody_would_wait_for_is_refused(init, bucket_server, monkeypatch):
    monkeypatch.setattr("pipeline.init.in_bucket._MOST_BYTES", 5)
    bucket_server.put("bucket", "table.csv", b"x,y\n1,a\n")
    result = init("gs://bucket/table.csv")
    assert result.status == 2
    assert "GB to look at. Received: 0.0 GB in 'gs://bucket/table.csv'. Name a file or a smaller part" in result.err
    assert not bucket_server.downloads()
