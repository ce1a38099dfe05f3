"""A file is replaced as a whole, and nothing but a file is replaced."""

import os
import pathlib
import resource
import socket

import pytest

from serving import whole_file


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_has_the_text_and_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "any").touch()
    whole_file.write(tmp_path / "new", "\u00e4\n")
    assert (tmp_path / "new").read_bytes() == "\u00e4\n".encode()
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "any").stat().st_mode
    assert names(tmp_path) == ["any", "new"]


def test_whoever_has_the_old_file_open_reads_it_to_its_end(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o640)
    with path.open() as reader:
        whole_file.write(path, "new")
        assert reader.read() == "old"
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o640)


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_stays_one_and_the_file_it_points_to_is_written(tmp_path, is_there):
    (tmp_path / "folder").mkdir()
    file, link = tmp_path / "folder" / "file", tmp_path / "link"
    if is_there:
        file.write_text("old")
    link.symlink_to("folder/file")
    whole_file.write(link, "new")
    assert (link.is_symlink(), file.is_symlink(), file.read_text()) == (True, False, "new")
    assert names(tmp_path) == ["folder", "link"]
    assert names(tmp_path / "folder") == ["file"]


def pipe(path):
    os.mkfifo(path)


def unix_socket(path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(path))  # a socket's path has at most 108 bytes


@pytest.mark.parametrize("through_link", [False, True], ids=["itself", "through a link"])
@pytest.mark.parametrize(
    ("make", "said"), [(pipe, "It is no regular file"), (unix_socket, "It is no regular file"), (os.mkdir, "Is a directory")]
)
def test_what_is_no_regular_file_is_refused_and_stays(tmp_path, monkeypatch, make, said, through_link):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "it")
    (tmp_path / "link").symlink_to("it")
    before = (tmp_path / "it").lstat()
    with pytest.raises(OSError, match=said) as refused:
        whole_file.write(tmp_path / ("link" if through_link else "it"), "text")
    assert refused.value.strerror == said
    assert (tmp_path / "it").lstat().st_mode == before.st_mode
    assert names(tmp_path) == ["it", "link"]


def test_the_end_of_a_pipe_that_is_an_open_descriptor_is_refused(tmp_path):
    """As /dev/stdout in `| cat`."""
    reader, writer = os.pipe()
    try:
        (tmp_path / "stdout").symlink_to(f"/proc/self/fd/{writer}" if pathlib.Path("/proc/self/fd").is_dir() else f"/dev/fd/{writer}")
        with pytest.raises(OSError, match="It is no regular file"):
            whole_file.write(tmp_path / "stdout", "text")
    finally:
        os.close(reader)
        os.close(writer)


def test_a_name_may_be_as_long_as_the_file_system_takes_it(tmp_path):
    whole_file.write(tmp_path / ("\u00e4" * 127), "text")
    assert (tmp_path / ("\u00e4" * 127)).read_text() == "text"


def test_where_the_disk_is_full_the_old_file_stays_and_nothing_beside_it(tmp_path):
    (tmp_path / "file").write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            whole_file.write(tmp_path / "file", "much more than ten bytes")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (names(tmp_path), (tmp_path / "file").read_text()) == (["file"], "old")
