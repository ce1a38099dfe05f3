"""Pushing: a version appears whole or not at all, and the same model once."""

import os
import socket
import subprocess
import sys
import time

import pytest

from components import pusher

STAGING = f".incoming-{socket.gethostname()}-"


@pytest.fixture
def model(tmp_path):
    """A SavedModel's files; what is in them is nothing to the pusher."""
    return make_model(tmp_path / "model", b"weights")


@pytest.fixture
def base(tmp_path):
    return tmp_path / "serving" / "digits"


def make_model(folder, weights):
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.data-00000-of-00001").write_bytes(weights)
    return folder


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_push_is_a_version_folder_with_the_models_files_named_by_the_time(model, base):
    before = int(time.time())
    version = pusher.push(model, base)
    assert before <= int(version) <= time.time()
    assert [path.name for path in base.iterdir()] == [version]
    pushed = files(base / version)
    assert pushed.pop("assets.extra/tapeline.sha256").decode() == pusher.model_digest(model)
    assert pushed == files(model)


def test_what_the_model_itself_has_beside_the_pushers_note_is_pushed_with_it(model, base):
    (model / "assets.extra").mkdir()
    (model / "assets.extra" / "tapeline.rows_independent").write_text("independent")
    pushed = files(base / pusher.push(model, base))
    assert pushed.pop("assets.extra/tapeline.sha256").decode() == pusher.model_digest(model)
    assert pushed == files(model)


def test_a_new_model_is_newer_than_every_version_even_one_from_the_future(model, base, tmp_path):
    (base / "99999999999").mkdir(parents=True)
    assert pusher.push(model, base) == "100000000000"
    assert pusher.push(make_model(tmp_path / "second", b"others"), base) == "100000000001"


def test_versions_are_compared_as_numbers(model, base, monkeypatch):
    for version in ("9", "10"):
        (base / version).mkdir(parents=True)
    monkeypatch.setattr(pusher.time, "time", lambda: 5.0)
    assert pusher.push(model, base) == "11"


def test_the_same_model_is_pushed_once(model, base):
    version = pusher.push(model, base)
    assert pusher.push(model, base) == version
    assert [path.name for path in base.iterdir()] == [version]


def test_an_older_model_is_pushed_again_when_another_has_come_since(model, base, tmp_path):
    """Rolling back is a push like any other: what is newest is what is served."""
    first = pusher.push(model, base)
    second = pusher.push(make_model(tmp_path / "second", b"others"), base)
    third = pusher.push(model, base)
    assert int(first) < int(second) < int(third)


def test_names_that_are_no_integers_are_left_alone(model, base):
    for name in ("backup", "12.5", "v3", ".git"):
        (base / name).mkdir(parents=True)
    (base / "77777777777").write_text("a file, no version")
    version = pusher.push(model, base)
    assert int(version) < 77777777777
    assert {path.name for path in base.iterdir()} == {"backup", "12.5", "v3", ".git", "77777777777", version}


def test_a_push_that_fails_before_the_rename_leaves_no_version(model, base, monkeypatch):
    def fail(source, target):
        assert files(source).keys() == {*files(model), "assets.extra/tapeline.sha256"}  # whole by now
        raise OSError("no rename today")

    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(OSError, match="no rename today"):
        pusher.push(model, base)
    assert [path.name for path in base.iterdir()] == [f"{STAGING}{os.getpid()}"]
    monkeypatch.undo()
    version = pusher.push(model, base)
    assert [path.name for path in base.iterdir()] == [version]


def test_no_file_of_the_model_is_ever_below_a_version_that_is_not_whole(model, base, monkeypatch):
    """Looks at the base path at each file that is copied, as a server that polls would."""
    seen = []
    copy = pusher.io_utils.fileio.copy

    def look_then_copy(*arguments, **options):
        seen.append([path.name for path in base.iterdir() if not path.name.startswith(".")])
        return copy(*arguments, **options)

    monkeypatch.setattr(pusher.io_utils.fileio, "copy", look_then_copy)
    pusher.push(model, base)
    assert seen == [[], []]


def test_what_a_dead_process_left_is_removed_and_what_a_living_one_copies_is_kept(model, base):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    living = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        for process in (dead, living):
            make_model(base / f"{STAGING}{process.pid}", b"half")
        version = pusher.push(model, base)
        assert {path.name for path in base.iterdir()} == {version, f"{STAGING}{living.pid}"}
    finally:
        living.communicate()


@pytest.mark.parametrize("name", [".incoming-elsewhere-1", f"{STAGING}other-999999999", f"{STAGING}notes"])
def test_what_other_machines_copy_is_kept(model, base, name):
    """`HOST-other` is another machine than `HOST`; whether its process lives cannot be seen from here."""
    (base / name).mkdir(parents=True)
    pusher.push(model, base)
    assert (base / name).is_dir()


def test_the_digest_is_of_names_and_content(tmp_path):
    models = [make_model(tmp_path / str(index), content) for index, content in enumerate((b"a", b"a", b"b"))]
    first, same, other = map(pusher.model_digest, models)
    (models[1] / "saved_model.pb").rename(models[1] / "renamed.pb")
    assert first == same != other
    assert pusher.model_digest(models[1]) != first
