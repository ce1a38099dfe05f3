"""A full disk is said in a line that names the file or folder and what to do, whichever library met it."""

import contextlib
import errno
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
import tensorflow as tf

from trainer.cause import one_line

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is Linux's")
FULL = os.strerror(errno.ENOSPC)


def said(write, place="/runs/digits"):
    with pytest.raises(Exception) as caught:
        write()
    return one_line(caught.value, place)


def expected(where, received=FULL):
    return (
        f"Expected room on the disk{where}. Received: {received}. "
        "Free space there, or write to another disk (a run: with another --root DIR)."
    )


def with_tensorflow(path):
    with tf.io.gfile.GFile(path, "w") as file:
        file.write("x" * 100_000)


def with_sqlite():
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.execute("PRAGMA max_page_count = 1")
        database.execute("CREATE TABLE artifacts (uri TEXT)")


def test_a_file_that_the_message_names_is_named(tmp_path):
    (tmp_path / "model").symlink_to("/dev/full")
    assert said(lambda: with_tensorflow(f"{tmp_path}/model")) == expected(f" for '{tmp_path}/model'")


def test_a_file_that_counts_from_the_root_is_named_in_full(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("model").symlink_to("/dev/full")
    assert said(lambda: with_tensorflow("model")) == expected(" for '/runs/digits/model'")


def test_of_a_copy_the_file_that_has_no_room_is_named(tmp_path):
    (tmp_path / "source").write_bytes(b"x" * 100_000)

    def copy():
        try:
            shutil.copyfile(tmp_path / "source", "/dev/full")
        except OSError as error:  # as where the kernel copies, which it does not to a device
            raise OSError(error.errno, error.strerror, str(tmp_path / "source"), None, "/models/x") from None

    assert said(copy) == expected(" for '/models/x'")


def test_the_folder_is_named_where_no_file_is():
    assert said(lambda: Path("/dev/full").write_bytes(b"x")) == expected(" for '/runs/digits'")
    assert said(with_sqlite) == expected(" for '/runs/digits'", "database or disk is full")
    assert said(lambda: Path("/dev/full").write_bytes(b"x"), place="") == expected("")


def test_a_quota_that_is_spent_is_a_full_disk():
    quota = os.strerror(errno.EDQUOT)
    said_by_python = one_line(OSError(errno.EDQUOT, quota, "/home/me/x"), "/runs")
    assert said_by_python == expected(" for '/home/me/x'", quota)


def test_hdf5_names_its_file():
    text = f"[Errno 28] Can't write data (file write failed: filename = '/logs/x.h5', errno = 28, error message = '{FULL}')"
    assert one_line(OSError(text)) == expected(" for '/logs/x.h5'")


def test_memory_is_no_disk():
    error = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[9]")
    assert one_line(error, "/runs") == "ResourceExhaustedError: OOM when allocating tensor with shape[9]"
