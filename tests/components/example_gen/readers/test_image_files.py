"""Reading labelled pictures from folders and archives: which rows are given, and what is said of a file that cannot be read."""

import hashlib
import io
import os
import pickle
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from components.example_gen.readers import image_files
from components.example_gen.readers.image_files import find, open_images
from components.example_gen.readers.picture import PictureSettings
from components.example_gen.readers.rows import Reject
from trainer.errors import ConfigError, DataError

DATA = Path(os.environ.get("TAPELINE_DATA", Path(__file__).parents[5] / "shared" / "data"))
GROCERIES = DATA / "images_small" / "grocery_small.tar.gz"


def picture(number, kind="PNG"):
    file = io.BytesIO()
    Image.new("RGB", (8, 6), (number % 256, number // 256, 0)).save(file, kind)
    return file.getvalue()


def contents(*names):
    """{name: a picture of its own}."""
    return {name: picture(number) for number, name in enumerate(names)}


@pytest.fixture
def write(tmp_path):
    """write(kind, {name: bytes}): as a folder, zip or tar archive called photos."""

    def write(kind, files):
        if kind == "folder":
            for name, data in files.items():
                path = tmp_path / "photos" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            return tmp_path / "photos"
        path = tmp_path / f"photos.{kind}"
        if kind == "zip":
            with zipfile.ZipFile(path, "w") as archive:
                for name, data in files.items():
                    archive.writestr(name, data)
        else:
            with tarfile.open(path, "w:gz") as archive:
                for name, data in files.items():
                    info = tarfile.TarInfo(name)
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))
        return path

    return write


def read(parts):
    """({split: {file: (image, label)}}, rejects) of all parts, as a worker gets them."""
    rows, rejects = {}, []
    for part in pickle.loads(pickle.dumps(parts)):  # noqa: S301  # our own
        mine = rows.setdefault(part.split, {})
        for given in part.read(rejects.append):
            assert given.batch.schema == pa.schema([("image", pa.binary()), ("label", pa.string())])
            assert given.lines.tolist() == [1] * given.batch.num_rows
            values = zip(*(column.to_pylist() for column in given.batch.columns), strict=True)
            mine.update(zip(given.file, values, strict=True))
    return rows, rejects


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_class_folders_give_each_picture_with_its_label_under_its_name(write, kind):
    files = contents("cat/1.png", "cat/2.png", "犬/1.png")
    path = write(kind, files | {"README.txt": b"hello", "cat/.hidden.png": b"x"})
    rows, rejects = read(open_images(path))
    assert rows == {None: {f"{path.name}/{name}": (data, name.split("/")[0]) for name, data in files.items()}}
    assert rejects == []
    assert find(path).layout.left_out == {".txt": 1, "hidden": 1}


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_official_splits_are_parts_of_their_own(write, kind):
    files = contents("d/train/cat/1.png", "d/train/dog/2.png", "d/valid/cat/3.png", "d/test/dog/4.png")
    rows, _ = read(open_images(write(kind, files)))
    assert {split: sorted(image for image, _ in found.values()) for split, found in rows.items()} == {
        "train": sorted([files["d/train/cat/1.png"], files["d/train/dog/2.png"]]),
        "eval": [files["d/valid/cat/3.png"]],
        "test": [files["d/test/dog/4.png"]],
    }


@pytest.mark.parametrize("other", ["val", "test"])
def test_without_an_official_eval_or_test_the_rows_of_train_are_divided(write, other):
    parts = open_images(write("folder", contents("train/cat/1.png", f"{other}/cat/2.png")))
    assert [part.split for part in parts] == [None, {"val": "eval"}.get(other, other)]


def test_the_fingerprint_is_of_each_file_in_a_folder_and_of_an_archive_as_a_whole(write):
    files = contents("train/cat/1.png", "test/cat/2.png")
    path = write("folder", files)
    train, test = open_images(path)
    assert train.files == {"photos/train/cat/1.png": hashlib.sha256(files["train/cat/1.png"]).hexdigest()}
    assert test.files == {"photos/test/cat/2.png": hashlib.sha256(files["test/cat/2.png"]).hexdigest()}
    path = write("zip", files)
    assert {part.files == {"photos.zip": hashlib.sha256(path.read_bytes()).hexdigest()} for part in open_images(path)} == {True}


def test_copies_of_a_file_have_one_hash_and_other_files_others(write):
    path = write("folder", {"a/1.png": picture(1), "b/2.png": picture(1), "a/3.png": picture(2)})
    [part] = open_images(path)
    [rows] = list(part.read(print))
    hashes = dict(zip(rows.file, rows.hashes.tolist(), strict=True))
    assert rows.hashes.dtype == np.uint64
    assert hashes["photos/a/1.png"] == hashes["photos/b/2.png"] != hashes["photos/a/3.png"]


def test_neighbouring_rows_of_a_folder_or_zip_archive_are_of_all_classes(write):
    for kind in ("folder", "zip"):
        files = contents(*[f"{label}/{number}.png" for label in "abc" for number in range(30)])
        [part] = open_images(write(kind, files))
        [rows] = list(part.read(print))
        assert set(rows.batch.column(1).to_pylist()[:20]) == {"a", "b", "c"}


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_pictures_that_cannot_be_read_are_left_out_by_name_with_the_reason(write, kind):
    path = write(kind, contents("cat/1.png") | {"cat/2.jpg": picture(1, "JPEG")[:-20], "cat/3.jpg": b"", "cat/4.png": b"hello"})
    rows, rejects = read(open_images(path, PictureSettings(max_pixels=48)))
    assert list(rows[None]) == [f"{path.name}/cat/1.png"]
    assert [(file, line) for file, line, _ in sorted(rejects)] == [(f"{path.name}/cat/{name}", 0) for name in ("2.jpg", "3.jpg", "4.png")]
    assert [reason[:15] for _, _, reason in sorted(rejects)] == ["truncated or co", "an empty file", "no picture, not"]
    rows, rejects = read(open_images(path, PictureSettings(max_pixels=47)))
    assert Reject(f"{path.name}/cat/1.png", 0, "6 x 8 pixels, more than 47") in rejects


def test_refused_files_of_an_archive_are_told_once_and_the_others_read(write):
    path = write("zip", contents("train/cat/1.png", "test/cat/1.png") | {"../evil.png": picture(3)})
    rows, rejects = read(open_images(path))
    assert rejects == [Reject("photos.zip/../evil.png", 0, "'..' in its path")]
    assert sum(map(len, rows.values())) == 2


def test_links_in_a_folder_are_followed_but_not_in_circles(write, tmp_path):
    path = write("folder", contents("cat/1.png"))
    (tmp_path / "dogs").mkdir()
    (tmp_path / "dogs" / "2.png").write_bytes(picture(2))
    (path / "dog").symlink_to(tmp_path / "dogs")
    (path / "cat" / "again").symlink_to(path)
    (path / "cat" / "gone.png").symlink_to(tmp_path / "gone.png")
    rows, rejects = read(open_images(path))
    assert sorted(rows[None]) == ["photos/cat/1.png", "photos/dog/2.png"]
    assert rejects == [Reject("photos/cat/gone.png", 0, "a link to nothing")]


def test_a_name_that_is_no_utf_8_is_told_and_left_out(write):
    path = write("folder", contents("cat/1.png"))
    (path / "cat" / os.fsdecode(b"\x94\x4c.png")).write_bytes(picture(2))
    rows, [reject] = read(open_images(path))
    assert len(rows[None]) == 1
    assert reject.reason == "a name that is no printable UTF-8"


@pytest.fixture(params=["settled", "new"])
def age(request, monkeypatch):
    """Whether the files count as old enough for their times to tell a later change."""
    if request.param == "settled":
        monkeypatch.setattr("components.example_gen.digests._SETTLED", -1)


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_what_changes_between_opening_and_reading_is_noticed(write, kind, age):
    path = write(kind, contents("cat/1.png", "cat/2.png"))
    parts = open_images(path)
    write(kind, contents("cat/2.png", "cat/1.png"))
    with pytest.raises(
        DataError, match=r"^Expected '.*' to stay as it is while it is read\. Received: another content than a moment ago\."
    ):
        read(parts)


def test_a_rows_hash_is_that_of_its_content_whether_or_not_it_is_taken_again(write, monkeypatch):
    path = write("folder", contents("cat/1.png", "cat/2.png"))
    hashes = []
    for settled in (-1, 10**18):
        monkeypatch.setattr("components.example_gen.digests._SETTLED", settled)
        hashes.append([rows.hashes.tolist() for part in open_images(path) for rows in part.read(lambda reject: pytest.fail(str(reject)))])
    assert hashes[0] == hashes[1]


def test_a_picture_that_is_gone_when_it_is_read_is_noticed(write):
    path = write("folder", contents("cat/1.png", "cat/2.png"))
    parts = open_images(path)
    (path / "cat" / "1.png").unlink()
    with pytest.raises(DataError, match="another content than a moment ago"):
        read(parts)


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("nothing", None, ConfigError, "which is not there."),
        ("x.csv", b"a,b\n", DataError, "which is another file."),
        ("x.jpg", b"\xff\xd8\xff", DataError, "which is a JPEG picture."),
        ("x.zip", b"PK\x03\x04" + bytes(99), DataError, "truncated or corrupt: its list of files, at the end, is missing."),
    ],
)
def test_what_is_neither_a_folder_nor_an_archive_is_told_in_a_line(tmp_path, name, content, error, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(error) as caught:
        open_images(tmp_path / name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_pictures_is_told_with_what_is_there(write):
    with pytest.raises(DataError) as caught:
        open_images(write("folder", {"a/1.txt": b"", "b/2.txt": b""}))
    assert "Expected pictures in a folder for each class, CLASS/NAME.jpg. Received: 2 .txt. Look into '" in str(caught.value)


def test_batches_end_where_their_rows_or_bytes_are_too_many(write, monkeypatch):
    path = write("folder", contents(*[f"a/{number}.png" for number in range(10)]))
    [part] = open_images(path)
    monkeypatch.setattr(image_files, "MOST_ROWS", 4)
    assert [rows.batch.num_rows for rows in part.read(print)] == [4, 4, 2]
    monkeypatch.setattr(image_files, "MOST_BYTES", 2 * max(len(picture(number)) for number in range(10)))
    assert [rows.batch.num_rows for rows in part.read(print)] == [2] * 5
    monkeypatch.setattr(image_files, "MOST_BYTES", 1)
    assert [rows.batch.num_rows for rows in part.read(print)] == [1] * 10


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_memory_does_not_grow_with_the_data(write, monkeypatch, kind):
    noise = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)).save(noise, "PNG", compress_level=0)
    monkeypatch.setattr(image_files, "MOST_BYTES", 1 << 20)
    monkeypatch.setattr(image_files, "_TASK_BYTES", 1 << 18)
    path = write(kind, {f"a/{number}.png": noise.getvalue() for number in range(200)})  # 24 MB
    [part] = open_images(path)
    tracemalloc.start()
    try:
        assert sum(rows.batch.num_rows for rows in part.read(print)) == 200
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(not GROCERIES.exists(), reason="needs the shared data")
def test_real_photos_in_an_archive_are_read_byte_for_byte_with_the_splits_of_their_names():
    parts = open_images(GROCERIES, split_prefixes=True)
    counts = {}
    with tarfile.open(GROCERIES) as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}
    rows, rejects = read(parts)
    assert rejects == []
    for split, found in rows.items():
        counts[split] = len(found)
        for name, (image, label) in found.items():
            inner = name.removeprefix("grocery_small.tar.gz/")
            assert image == files[inner]
            assert label == inner.split("/")[1]
            assert {"val": "eval"}.get(inner.split("/")[2].split("_")[0], inner.split("/")[2].split("_")[0]) == split
    assert sum(counts.values()) == 520
    assert counts.keys() == {"train", "eval", "test"}


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_unlabelled_pictures_may_be_in_any_folders_and_are_in_the_order_of_their_names(write, kind):
    names = [f"{number}.png" for number in range(10, 30)] + ["cat/1.png", "train/cat/2.png"]
    files = contents(*names)
    path = write(kind, dict(reversed(files.items())) | {"README.txt": b"hello", ".hidden.png": b"x"})
    [part] = image_files.open_unlabelled(path)
    rows, rejects = read([part])
    assert rows == {None: {f"{path.name}/{name}": (data, "") for name, data in files.items()}}
    assert rejects == []
    in_order = list(reversed(names)) if kind == "tar" else names  # a tar archive is read as it comes
    assert list(rows[None]) == [f"{path.name}/{name}" for name in in_order]
    with pytest.raises(DataError, match=r"Expected pictures \(.*\) in .* Received: 1 other files"):
        image_files.open_unlabelled(write(kind, {"README.txt": b"hello"}) if kind != "folder" else _only_text(path))


def _only_text(folder):
    below = folder / "text"
    below.mkdir()
    (below / "a.txt").write_text("hello")
    return below
