"""What was noted of a folder tells whether somebody has changed it since."""

import os
import shutil

import pytest

from components import contents


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "artifact"
    (place / "Split-train").mkdir(parents=True)
    (place / "schema.pbtxt").write_text("feature {}")
    (place / "Split-train" / "data.gz").write_bytes(bytes(1000))
    return place


def test_what_nobody_has_touched_is_whole_and_so_is_a_copy_with_other_times(folder, tmp_path):
    then = contents.of(folder)
    assert (then.files, then.bytes, sorted(then.digests)) == (2, 1010, ["Split-train/data.gz", "schema.pbtxt"])
    shutil.copytree(folder, tmp_path / "copy", copy_function=shutil.copyfile)
    os.utime(tmp_path / "copy" / "schema.pbtxt", (0, 0))
    (tmp_path / "copy" / ".DS_Store").touch()  # what others add does no harm
    assert contents.is_whole(tmp_path / "copy", then)


@pytest.mark.parametrize("name", ["schema.pbtxt", "Split-train/data.gz"])
@pytest.mark.parametrize("more", [0, 1])
def test_a_file_that_was_edited_to_the_same_or_a_larger_size_is_noticed(folder, name, more):
    then = contents.of(folder)
    size = (folder / name).stat().st_size
    (folder / name).write_bytes(b"x" * (size + more))
    assert not contents.is_whole(folder, then)


def test_a_file_that_was_renamed_is_noticed(folder):
    then = contents.of(folder)
    (folder / "schema.pbtxt").rename(folder / "schema.txt")
    assert not contents.is_whole(folder, then)


def test_a_file_by_itself_is_like_a_folder_of_one(folder):
    file = folder / "schema.pbtxt"
    then = contents.of(file)
    assert contents.is_whole(file, then)
    file.write_text("feature []")
    assert not contents.is_whole(file, then)
    file.unlink()
    assert not contents.is_whole(file, then)
    assert contents.of(file) is None


def test_of_large_files_only_number_and_size_are_noted_and_of_the_smallest_the_content(folder, monkeypatch):
    monkeypatch.setattr(contents, "_MOST_BYTES", 100)
    then = contents.of(folder)
    assert list(then.digests) == ["schema.pbtxt"]
    (folder / "Split-train" / "data.gz").write_bytes(b"x" * 1000)
    assert contents.is_whole(folder, then)
    monkeypatch.setattr(contents, "_MOST_FILES", 0)
    assert contents.of(folder) == (2, 1010, {})


def test_a_name_that_is_no_text_is_not_noted(folder):
    with open(os.fsencode(folder) + b"/\xff", "wb"):  # noqa: PTH123 - a name of bytes
        pass
    then = contents.of(folder)
    assert (then.files, len(then.digests)) == (3, 2)
    assert contents.is_whole(folder, then)


def test_what_was_noted_without_digests_is_compared_by_number_and_size(folder):
    (folder / "schema.pbtxt").write_text("another text")
    assert contents.is_whole(folder, contents.Contents(2, 1010))
