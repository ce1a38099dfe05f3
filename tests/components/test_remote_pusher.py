"""Pushing to object storage, for which TensorFlow's in-memory file system stands."""

import time

import pytest
from tfx.dsl.io import fileio

from components import remote_pusher
from trainer.errors import ConfigError


@pytest.fixture
def model(tmp_path):
    """A SavedModel's files; what is in them is nothing to the pusher."""
    (tmp_path / "model" / "variables").mkdir(parents=True)
    (tmp_path / "model" / "saved_model.pb").write_text("graph")
    (tmp_path / "model" / "variables" / "variables.index").write_text("weights")
    return str(tmp_path / "model")


@pytest.fixture
def base(request, monkeypatch):
    """A base path, and a clock that stands still at 100."""
    monkeypatch.setattr(time, "time", lambda: 100.0)
    return f"ram://{request.node.name}/digits"


def names(folder):
    return sorted(name.rstrip("/") for name in fileio.listdir(folder))


def test_a_push_is_a_version_and_nothing_else_below_the_base_path(model, base):
    assert remote_pusher.push(model, base) == "100"
    assert remote_pusher.push(model, base) == "101"
    assert names(base) == ["100", "101"]
    assert names(f"{base}/101") == ["saved_model.pb", "variables"]
    assert names(f"{base}/101/variables") == ["variables.index"]


def test_a_version_is_newer_than_one_from_the_future(model, base):
    fileio.makedirs(f"{base}/500")
    assert remote_pusher.push(model, base) == "501"


def test_what_makes_it_a_model_comes_last(model, base, monkeypatch):
    copied, copy = [], fileio.copy

    def note_and_copy(source, target, **options):
        copied.append(target.removeprefix(base))
        copy(source, target, **options)

    monkeypatch.setattr(remote_pusher.io_utils.fileio, "copy", note_and_copy)
    remote_pusher.push(model, base)
    assert copied == ["/100/variables/variables.index", "/100/saved_model.pb"]


def test_a_number_that_another_process_claims_is_left_to_it(model, base):
    fileio.makedirs(f"{base}/.incoming-100")
    with fileio.open(f"{base}/.incoming-100/anothers", "w") as file:
        file.write("")
    version = int(remote_pusher.push(model, base))
    assert 100 < version <= 116
    assert names(base) == [".incoming-100", str(version)]
    assert names(f"{base}/.incoming-100") == ["anothers"]


def test_two_that_claim_one_number_at_once_both_end_with_a_version_of_their_own(model, base, monkeypatch):
    """The second begins and ends its push just when the first has written its claim."""
    write, versions = remote_pusher.io_utils.write_string_file, []

    def write_and_push(path, text):
        write(path, text)
        if not versions:
            versions.append("under way")
            versions[:] = [remote_pusher.push(model, base)]

    monkeypatch.setattr(remote_pusher.io_utils, "write_string_file", write_and_push)
    versions.append(remote_pusher.push(model, base))
    assert len(set(versions)) == 2
    assert names(base) == sorted(versions, key=int)


def test_a_push_that_fails_leaves_no_half_version(model, base, monkeypatch):
    def fail(*_, **__):
        raise OSError("no more space")

    monkeypatch.setattr(remote_pusher.io_utils, "copy_file", fail)
    with pytest.raises(OSError, match="no more space"):
        remote_pusher.push(model, base)
    assert names(base) == []


def test_behind_the_highest_version_there_is_none(model, base):
    fileio.makedirs(f"{base}/{2**63 - 1}")
    with pytest.raises(ConfigError, match="Move that folder away"):
        remote_pusher.push(model, base)
