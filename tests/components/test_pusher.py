"""Pushing: a version appears whole or not at all, and the same model once."""

import errno
import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from google.protobuf import json_format
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts

from components import pusher
from trainer.errors import ConfigError

LARGEST = 2**63 - 1
CONTAINERS, ROUNDS = 4, 8


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
    monkeypatch.setattr(time, "time", lambda: 5.0)
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
    assert list(base.iterdir()) == []
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


@pytest.fixture
def container():
    """container(function, *arguments): calls it in a process of its own, killed in the end."""
    started = []

    def start(function, *arguments):
        process = multiprocessing.get_context("fork").Process(target=function, args=arguments)
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.join()


def push_as_number_7(model, base):
    """As in a container, where each process is the first or the seventh, and the host's name is the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 7)
        return pusher.push(model, base)


def test_pushes_from_several_containers_at_once_each_end_with_a_whole_version_of_its_own(base, tmp_path, container):
    for index in range(CONTAINERS):
        model = make_model(tmp_path / str(index), b"0")
        for number in range(20):
            (model / "variables" / f"part-{number}").write_bytes(bytes([index]) * 1000)
    together, answers = multiprocessing.Barrier(CONTAINERS), multiprocessing.Queue()

    def push_in_rounds(index):
        for number in range(ROUNDS):
            (tmp_path / str(index) / "saved_model.pb").write_text(f"{index} {number}")
            expected = files(tmp_path / str(index))
            together.wait(60)
            version = push_as_number_7(tmp_path / str(index), base)
            pushed = files(base / version)
            del pushed["assets.extra/tapeline.sha256"]
            answers.put((version, pushed == expected))

    processes = [container(push_in_rounds, index) for index in range(CONTAINERS)]
    received = [answers.get(timeout=60) for _ in range(CONTAINERS * ROUNDS)]
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert all(is_whole for _, is_whole in received)
    assert sorted(version for version, _ in received) == sorted(path.name for path in base.iterdir())
    assert len({version for version, _ in received}) == CONTAINERS * ROUNDS


def test_what_a_living_push_copies_is_kept_and_what_a_killed_one_left_is_removed(base, model, tmp_path, container):
    """Whatever its process's number is: the lock in its folder goes with the process, in whatever container that was."""
    copying = multiprocessing.Event()

    def copy_for_ever(*_, **__):
        copying.set()
        signal.pause()

    def push():
        pusher.io_utils.fileio.copy = copy_for_ever
        push_as_number_7(model, base)

    process = container(push)
    assert copying.wait(60)
    [staging] = base.iterdir()
    first = pusher.push(make_model(tmp_path / "other", b"others"), base)
    assert {path.name for path in base.iterdir()} == {first, staging.name}
    process.kill()
    process.join()
    second = pusher.push(model, base)
    assert {path.name for path in base.iterdir()} == {first, second}


def test_a_push_that_was_killed_before_it_had_its_lock_is_removed(model, base):
    (base / f".incoming-{0:032x}").mkdir(parents=True)
    version = pusher.push(model, base)
    assert [path.name for path in base.iterdir()] == [version]


NAMES = [".incoming-elsewhere-1", ".incoming-elsewhere-other-999999999", ".incoming-notes", f".incoming-{1:032x}"]


@pytest.mark.parametrize("name", NAMES)
def test_folders_of_others_are_kept_and_in_nobodys_way(model, base, name):
    (base / name).mkdir(parents=True)
    (base / name / "notes").touch()
    version = pusher.push(model, base)
    assert {path.name for path in base.iterdir()} == {version, name}


@pytest.mark.parametrize("name", [*NAMES, ".incoming-"])
def test_files_of_such_a_name_are_kept_and_in_nobodys_way(model, base, name):
    base.mkdir(parents=True)
    (base / name).touch()
    version = pusher.push(model, base)
    assert {path.name for path in base.iterdir()} == {version, name}


def test_a_file_system_without_locks_takes_a_push_like_any_other(model, base, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(pusher.fcntl, "flock", refuse)
    version = pusher.push(model, base)
    assert [path.name for path in base.iterdir()] == [version]


def test_a_lock_that_fails_otherwise_ends_the_push(model, base, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(pusher.fcntl, "flock", refuse)
    with pytest.raises(OSError, match="Input/output error"):
        pusher.push(model, base)


def test_a_push_whose_folder_another_one_removes_before_it_has_its_lock_takes_another_folder(model, base, monkeypatch):
    """The other one takes it for a killed push's, for nobody holds its lock yet."""
    lock, removed = pusher.fcntl.flock, []

    def remove_then_lock(file, how):
        if not removed:
            removed.extend(base.iterdir())
            shutil.rmtree(removed[0])
        lock(file, how)

    monkeypatch.setattr(pusher.fcntl, "flock", remove_then_lock)
    version = pusher.push(model, base)
    assert len(removed) == 1
    assert [path.name for path in base.iterdir()] == [version]


def test_an_empty_folder_that_somebody_else_made_is_no_place_for_a_version(model, base, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 5.0)
    (base / "5").mkdir(parents=True)
    assert pusher.push(model, base) == "6"
    assert list((base / "5").iterdir()) == []


def test_a_number_that_a_file_has_is_left_out(model, base, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 5.0)
    base.mkdir(parents=True)
    for name in ("5", "006"):
        (base / name).touch()
    assert pusher.push(model, base) == "7"


@pytest.mark.parametrize("name", [str(2**63), "9" * 200, "\uff17", "-3"])
def test_what_no_server_loads_is_no_version_to_be_newer_than(model, base, name):
    (base / name).mkdir(parents=True)
    before = int(time.time())
    assert before <= int(pusher.push(model, base)) <= time.time()


def test_every_file_is_on_the_disk_before_the_version_appears(model, base, monkeypatch):
    """Else a machine that crashes just then comes back with a version of empty files."""
    flushed, rename, fsync = set(), os.rename, os.fsync

    def note_and_flush(descriptor):
        flushed.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def look_then_rename(source, target):
        assert flushed == {path.stat().st_ino for path in source.rglob("*") if path.is_file()}
        rename(source, target)

    monkeypatch.setattr(os, "fsync", note_and_flush)
    monkeypatch.setattr(os, "rename", look_then_rename)
    pusher.push(model, base)
    assert len(flushed) == 3


def test_behind_the_highest_version_there_is_none_and_the_push_says_so(model, base, monkeypatch):
    """Before it copies anything, which may take minutes."""
    monkeypatch.setattr(pusher.io_utils, "copy_dir", None)
    (base / str(LARGEST)).mkdir(parents=True)
    with pytest.raises(ConfigError) as caught:
        pusher.push(model, base)
    assert str(caught.value) == (
        f"Expected versions below {LARGEST} in '{base}': that is the highest which TensorFlow Serving loads, and the next one needs a "
        f"higher number. Received: {LARGEST}. Move that folder away."
    )
    assert [path.name for path in base.iterdir()] == [str(LARGEST)]


def test_the_highest_version_itself_can_be_pushed(model, base):
    (base / str(LARGEST - 1)).mkdir(parents=True)
    assert pusher.push(model, base) == str(LARGEST)


def test_the_digest_is_of_names_and_content(tmp_path):
    models = [make_model(tmp_path / str(index), content) for index, content in enumerate((b"a", b"a", b"b"))]
    first, same, other = map(pusher.model_digest, models)
    (models[1] / "saved_model.pb").rename(models[1] / "renamed.pb")
    assert first == same != other
    assert pusher.model_digest(models[1]) != first


@pytest.fixture
def step(tmp_path):
    """step(base, blessed): runs the pipeline's step on a Model artifact; gives the PushedModel artifact."""

    def run(base, blessed):
        trained, blessing, pushed = standard_artifacts.Model(), standard_artifacts.ModelBlessing(), standard_artifacts.PushedModel()
        trained.uri, blessing.uri, pushed.uri = (str(tmp_path / name) for name in ("trained", "blessing", "pushed"))
        make_model(tmp_path / "trained" / "Format-Serving", b"weights")
        blessing.set_int_custom_property("blessed", int(blessed))
        destination = pusher_pb2.PushDestination(filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=f"{base}/"))
        pusher.Executor().Do(
            {"model": [trained], "model_blessing": [blessing]},
            {"pushed_model": [pushed]},
            {"push_destination": json_format.MessageToJson(destination)},
        )
        return pushed

    return run


def test_the_step_pushes_a_blessed_model_and_says_where_it_is(step, base):
    pushed = step(base, blessed=True)
    [version] = [path.name for path in base.iterdir()]
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_version") == version
    assert pushed.get_string_custom_property("pushed_destination") == f"{base}/{version}"
    assert files(Path(pushed.uri)) == files(base / version)


def test_the_step_pushes_to_object_storage_too(step, tmp_path, request):
    base = f"ram://{request.node.name}/digits"
    pushed = step(base, blessed=True)
    version = pushed.get_string_custom_property("pushed_version")
    assert pushed.get_string_custom_property("pushed_destination") == f"{base}/{version}"
    assert fileio.exists(f"{base}/{version}/saved_model.pb")
    assert files(Path(pushed.uri)) == files(tmp_path / "trained" / "Format-Serving")


def test_the_step_pushes_nothing_that_the_gate_has_refused(step, base):
    pushed = step(base, blessed=False)
    assert pushed.has_custom_property("pushed")
    assert pushed.get_int_custom_property("pushed") == 0
    assert not pushed.get_string_custom_property("pushed_version")
    assert not base.exists()
