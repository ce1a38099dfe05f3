"""The folder a run works in."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.workspace import Workspace, default_root, serving_path
from trainer.errors import ConfigError


def test_there_is_a_folder_for_temporary_files_below_the_root_which_is_gone_after_the_run(workspace):
    with workspace.use():
        (workspace.temporary / "beam").mkdir()
    assert not (workspace.root / "tmp").exists()


def test_temporary_files_are_gone_after_a_failed_run_too(workspace):
    with pytest.raises(RuntimeError), workspace.use():
        raise RuntimeError
    assert not (workspace.root / "tmp").exists()


def test_what_a_killed_run_left_in_the_temporary_folder_is_gone_when_the_next_begins(workspace):
    left = workspace.root / "tmp" / "beam-temp-1"
    left.mkdir(parents=True)
    with workspace.use():
        assert not left.exists()
        assert (workspace.root / "tmp").is_dir()


def test_each_run_has_a_log_of_its_own(workspace):
    with workspace.use() as first:
        pass
    with workspace.use() as second:
        assert first.log.parent == second.log.parent == workspace.root / "logs"
        assert first.log.name < second.log.name


def test_a_second_run_in_the_same_root_is_refused_with_the_first_ones_process(workspace):
    with workspace.use():
        with pytest.raises(ConfigError) as caught, Workspace(workspace.root).use():
            pass
        assert str(caught.value) == (
            f"Expected no other run in '{workspace.root}'. Received: one is under way (process {os.getpid()}). "
            "Wait for it, or give another --root DIR."
        )
        assert (workspace.root / "tmp").is_dir()  # the refused one has not cleaned up the first one's
    with workspace.use():
        pass


def test_a_killed_run_holds_nothing(workspace):
    code = f"""if True:
        from pipeline.workspace import Workspace
        with Workspace({str(workspace.root)!r}).use():
            print("held", flush=True)
            input()
    """
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(ConfigError, match=f"process {process.pid}"), workspace.use():
            pass
    finally:
        process.kill()
        process.communicate()
    with workspace.use():
        pass


@pytest.mark.parametrize("in_the_way", [".", "artifacts", "logs", ".lock/x"])
def test_a_root_that_cannot_be_written_is_refused(workspace, in_the_way):
    path = workspace.root / in_the_way
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a file, no folder") if in_the_way != ".lock/x" else path.mkdir()
    with pytest.raises(ConfigError) as caught, workspace.use():
        pass
    assert str(caught.value).startswith(f"Expected a root folder that can be written. Received: '{workspace.root}' (")
    assert str(caught.value).endswith("). Give another with --root DIR.")


def test_a_root_below_a_file_system_that_takes_no_folders_is_refused():
    with (
        pytest.raises(ConfigError, match=r"^Expected a root folder that can be written\. Received: '/proc/tapeline'"),
        Workspace("/proc/tapeline").use(),
    ):
        pass


@pytest.mark.parametrize("folder", [".", "artifacts", "logs"])
def test_a_folder_of_the_root_that_this_user_may_not_write_is_refused_before_the_run(workspace, tmp_path, as_nobody, folder):
    for path in (workspace.root, workspace.artifacts, workspace.logs):
        path.mkdir(parents=True)
        path.chmod(0o777)
    (workspace.root / folder).chmod(0o555)
    with (
        as_nobody(tmp_path),
        pytest.raises(ConfigError, match=r"can be written\. Received: '.*root' \(Permission denied\)"),
        workspace.use(),
    ):
        pass


@pytest.fixture
def as_nobody():
    """as_nobody(folder): whoever is root is another user meanwhile, who can get to `folder`; another user stays who it is."""

    @contextlib.contextmanager
    def other(folder):
        if os.getuid():
            yield
            return
        closed = [path for path in (folder, *folder.parents) if path.stat().st_mode & 0o011 != 0o011]
        modes = {path: path.stat().st_mode & 0o7777 for path in closed}
        for path in closed:
            path.chmod(modes[path] | 0o011)  # the group stays root's
        os.setresuid(65534, 65534, 0)
        try:
            yield
        finally:
            os.setresuid(0, 0, 0)
            for path, mode in modes.items():
                path.chmod(mode)

    return other


def test_a_root_whose_name_is_no_text_is_refused_with_what_to_set(tmp_path):
    root = os.fsdecode(bytes(tmp_path) + b"/\xff")
    with (
        pytest.raises(ConfigError, match=r"whose name can be read in the locale's encoding\. .* Set LC_ALL=C\.UTF-8"),
        Workspace(root).use(),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_home_in_the_root_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Workspace("~/runs").root == tmp_path / "runs"


def test_versions_go_below_the_root_unless_a_base_path_is_given(workspace, settings):
    assert serving_path(settings(), workspace) == f"{workspace.root}/serving/digits"
    assert serving_path(settings(pusher={"base_path": "/models/"}), workspace) == "/models/digits"
    assert serving_path(settings(pusher={"base_path": "gs://bucket/models"}), workspace) == "gs://bucket/models/digits"
    assert default_root(settings()) == Path("runs/digits")


def test_what_the_metadata_keep_of_a_path_holds_after_the_root_has_moved(workspace, tmp_path):
    stored = workspace.stored(str(workspace.artifacts / "Trainer" / "model" / "7"))
    assert stored == "artifacts/Trainer/model/7"
    assert Workspace(tmp_path / "moved").place(stored) == str(tmp_path / "moved" / "artifacts" / "Trainer" / "model" / "7")


def test_a_path_outside_the_root_is_kept_as_it_is(workspace):
    for path in ("/elsewhere/serving/digits", "gs://bucket/serving/digits", f"{workspace.root}-other/digits"):
        assert workspace.place(workspace.stored(path)) == path


def test_a_run_works_in_the_root_and_goes_back_even_to_a_folder_that_is_gone(workspace, monkeypatch, tmp_path):
    workspace.root.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path)
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    before = Path().stat().st_ino
    gone.rmdir()
    with workspace.entered():
        assert Path.cwd().samefile(workspace.root)
    assert Path().stat().st_ino == before
