"""TensorFlow's in-memory file system stands for object storage: the same functions open both."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from components.example_gen import raw_files, remote_files, source
from components.example_gen.columns import Columns
from components.example_gen.config import DataConfig
from trainer.errors import ConfigError, DataError
from trainer.features import names

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture
def remote(request):
    """A folder on a file system that is not this machine's disk."""
    folder = f"ram://{request.node.name}"
    tf.io.gfile.makedirs(folder)
    return folder


def _write(folder, name, content):
    with tf.io.gfile.GFile(f"{folder}/{name}", "wb") as file:
        file.write(content)


def test_a_changed_file_changes_the_fingerprint(remote):
    _write(remote, "train-labels-idx1-ubyte", b"one")
    before = raw_files.fingerprint(DataConfig(format="idx", path=remote))
    assert raw_files.fingerprint(DataConfig(format="idx", path=remote)) == before
    _write(remote, "train-labels-idx1-ubyte", b"other")
    assert raw_files.fingerprint(DataConfig(format="idx", path=remote)) != before


def test_a_folder_that_is_not_there_is_one_line():
    with pytest.raises(ConfigError, match=r"Expected `data.path` to be a folder that can be read\. Received: 'ram://nowhere/at-all'"):
        remote_files.fingerprint("ram://nowhere/at-all")


def test_remote_images_are_ingested_as_local_ones_are(remote, write_idx, images, labels, tmp_path):
    local = write_idx(tmp_path, images(30), labels(30))
    for path in local.iterdir():
        _write(remote, path.name, path.read_bytes())
    with source.open_data(DataConfig(format="idx", path=str(local)), Columns()) as (parts, _):
        expected = [rows.batch.column(names.IMAGE_LABEL).to_pylist() for part in parts for rows in part.read(print)]
    with source.open_data(DataConfig(format="idx", path=remote), Columns()) as (parts, fingerprint):
        assert fingerprint == remote_files.fingerprint(remote)
        assert [rows.batch.column(names.IMAGE_LABEL).to_pylist() for part in parts for rows in part.read(print)] == expected


def test_the_local_copy_is_gone_afterwards(remote):
    _write(remote, "file", b"content")
    with remote_files.local_copy(remote) as (folder, _):
        assert (folder / "file").read_bytes() == b"content"
    assert not folder.exists()


def test_files_that_change_while_they_are_copied_are_refused(remote, monkeypatch):
    _write(remote, "file", b"content")
    copy = tf.io.gfile.copy

    def copy_and_change(source, target):
        copy(source, target)
        _write(remote, "file", b"another content")

    monkeypatch.setattr(tf.io.gfile, "copy", copy_and_change)
    with pytest.raises(DataError, match=r"to stay as they are while they are copied\. Received: changed ones\. Run again\.$"):  # noqa: SIM117
        with remote_files.local_copy(remote):
            pass


def test_a_run_says_it_in_one_line_and_nothing_of_tensorflows(tmp_path):
    """TensorFlow, which is imported to read the folder, has a dozen lines of its own to say."""
    config = tmp_path / "mine.yaml"
    config.write_text("name: mine\ndata: {format: idx, path: 'ram://nowhere'}\n")
    command = [sys.executable, "-m", "pipeline.cli", "run", str(config), "--root", str(tmp_path / "root")]
    environ = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    answer = subprocess.run(command, cwd=CHECKOUT, env=environ, capture_output=True, text=True)
    assert answer.returncode == 2
    assert answer.stdout + answer.stderr == (
        "Expected `data.path` to be a folder that can be read. Received: 'ram://nowhere': Could not find directory ram://nowhere\n"
    )
