"""A root that the libraries would misread, or in which something of another kind lies, is refused before anything is written."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pipeline import cli, places
from pipeline.workspace import Workspace
from trainer.errors import ConfigError

CONFIG = "name: digits\ndata: {format: digits}\n"


@pytest.mark.parametrize("sign", places.PATTERN_SIGNS)
def test_a_run_below_a_folder_with_a_sign_of_patterns_is_refused_with_sign_path_and_setting(tmp_path, capsys, sign):
    (tmp_path / "use.yaml").write_text(CONFIG)
    root = tmp_path / f"a{sign}b" / "root"
    assert cli.main(["run", str(tmp_path / "use.yaml"), "--root", str(root)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "Expected --root to name a folder without * ? [ { } \\, which TFX, Beam, Keras and TensorFlow take for patterns. Received: "
    )
    assert f"'{root}', with '{sign}'." in line
    assert not root.parent.exists()


def test_a_symbolic_link_to_such_a_folder_is_refused_too(tmp_path):
    (tmp_path / "a[b]").mkdir()
    (tmp_path / "link").symlink_to("a[b]")
    with pytest.raises(ConfigError, match=r"Received: '.*/a\[b\]/root', with '\['\."):
        places.check_root(Workspace(tmp_path / "link" / "root"))


@pytest.mark.parametrize("name", ["a]b", "a#b", "a b", "a%20b", "a'b", 'a"b', "日本é", "$HOME", "~", "a@3", "a:b", "a,b"])
def test_other_signs_are_names_like_any_other(tmp_path, name):
    places.check_root(Workspace(tmp_path / name))


@pytest.mark.parametrize("name", ["metadata.sqlite", "last_run.json", ".lock", "metadata.json"])
def test_a_folder_in_the_place_of_a_file_is_named(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(ConfigError, match=rf"Expected '{tmp_path}/{name}' to be a file. Received: a folder. Move it away"):
        places.check_root(Workspace(tmp_path))


@pytest.mark.parametrize("name", ["artifacts", "schemas", "logs", "tmp", "serving", "pods"])
def test_a_file_in_the_place_of_a_folder_is_named(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=rf"Expected '{tmp_path}/{name}' to be a folder. Received: a file. Move it away"):
        places.check_root(Workspace(tmp_path))


@pytest.mark.parametrize(("sign", "refused"), [("[", True), ("\\", True), ("*", False), ("?", False), ("{", False), ("]", False)])
def test_versions_go_only_where_tensorflow_can_load_them(tmp_path, sign, refused):
    base = str(tmp_path / f"a{sign}b")
    if not refused:
        places.check_base_path(base, "pusher.base_path")
        return
    with pytest.raises(ConfigError) as caught:
        places.check_base_path(base, "pusher.base_path")
    assert "Expected pusher.base_path to name a folder without [ \\, " in str(caught.value)
    assert f"Received: '{base}', with '{sign}'." in str(caught.value)


def test_a_run_says_before_the_training_that_versions_would_go_below_a_file(tmp_path, capsys):
    (tmp_path / "use.yaml").write_text(CONFIG + "pusher: {base_path: taken/models}\n")
    (tmp_path / "taken").touch()
    assert cli.main(["run", str(tmp_path / "use.yaml"), "--root", str(tmp_path / "root")]) == 2
    assert f"Expected pusher.base_path to name a folder. Received: '{tmp_path}/taken', which is a file." in capsys.readouterr().err
    assert not (tmp_path / "root").exists()


def _metadata(folder):
    """A database as ML Metadata makes it, as far as the check looks."""
    file = folder / "metadata.sqlite"
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE MLMDEnv (schema_version INTEGER)")
        database.commit()
    return file


def test_metadata_that_is_not_there_yet_or_is_whole_may_be_used(tmp_path):
    places.check_metadata(tmp_path / "metadata.sqlite")
    assert not (tmp_path / "metadata.sqlite").exists()
    places.check_metadata(_metadata(tmp_path))
    empty = tmp_path / "killed" / "metadata.sqlite"
    empty.parent.mkdir()
    empty.touch()
    places.check_metadata(empty)


def test_metadata_that_is_garbage_is_refused_with_the_folder_to_remove(tmp_path):
    file = tmp_path / "metadata.sqlite"
    file.write_bytes(b"garbage" * 1000)
    with pytest.raises(ConfigError) as caught:
        places.check_metadata(file)
    assert str(caught.value).startswith(
        f"Expected '{file}' to be a run's metadata. Received: a file that cannot be read (file is not a database). "
        f"Remove the folder '{tmp_path}' to start anew"
    )


def test_metadata_whose_pages_are_damaged_is_refused(tmp_path):
    file = _metadata(tmp_path)
    content = bytearray(file.read_bytes())
    content[4096:4200] = b"\xff" * 104
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="a file that cannot be read"):
        places.check_metadata(file)


def test_another_programs_database_is_refused(tmp_path):
    file = tmp_path / "metadata.sqlite"
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE bookmarks (url TEXT)")
        database.commit()
    with pytest.raises(ConfigError, match="Received: another program's database"):
        places.check_metadata(file)


def test_metadata_that_another_process_holds_is_refused_instead_of_waited_for(tmp_path, monkeypatch):
    file = _metadata(tmp_path)
    monkeypatch.setattr(places, "_LOCK_SECONDS", 0.01)
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ConfigError, match="another process has had it locked for 0 s"):
            places.check_metadata(file)


def test_a_lock_that_is_let_go_is_waited_for_and_one_that_is_not_is_named(tmp_path):
    file = tmp_path / "metadata.sqlite"
    places.wait_until_free(file)  # not there yet: free
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute("CREATE TABLE mine (x)")
        places.wait_until_free(file)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(ConfigError) as caught:
            places.wait_until_free(file, patience=0.05)
        holder.execute("ROLLBACK")
        places.wait_until_free(file, patience=0.05)
    assert str(caught.value) == (
        f"Expected '{file}' to be free. Received: another process has had it locked for 0 s. "
        "Close what has it open (a database browser, a backup), then run the same command again, or give another --root DIR."
    )


def test_an_error_of_the_database_that_is_no_lock_is_its_own(tmp_path):
    (tmp_path / "metadata.sqlite").mkdir()
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        places.wait_until_free(tmp_path / "metadata.sqlite")


def test_an_error_while_the_lock_is_taken_that_is_no_lock_is_its_own_too(tmp_path):
    file = _metadata(tmp_path)
    (tmp_path / f"{file.name}-journal").mkdir()  # in the place of the file that SQLite would open
    with pytest.raises(sqlite3.OperationalError, match=r"unable to open|disk I/O"):
        places.wait_until_free(file)


def test_a_base_path_of_the_cloud_is_not_looked_for_on_this_machine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gs:").touch()
    places.check_base_path("gs://bucket/serving", "pusher.base_path")


NOWHERE = "/proc/tapeline"  # not even root can make it


def test_a_folder_that_can_be_written_or_made_is_left_as_it_was(tmp_path):
    places.check_writable(str(tmp_path / "models" / "digits"), "pusher.base_path")
    places.check_writable("gs://bucket/models", "pusher.base_path")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("given", [True, False])
def test_a_run_says_before_the_training_that_no_version_could_be_written(tmp_path, capsys, monkeypatch, given):
    monkeypatch.setenv("TMPDIR", tempfile.gettempdir())  # the run sets both; they are put back
    monkeypatch.setattr(tempfile, "tempdir", None)
    (tmp_path / "use.yaml").write_text(CONFIG + (f"pusher: {{base_path: {NOWHERE}/models}}\n" if given else ""))
    root = tmp_path / "root"
    root.mkdir()
    (root / "serving").symlink_to("/proc")
    assert cli.main(["run", str(tmp_path / "use.yaml"), "--root", str(root)]) == 2
    setting, place = ("pusher.base_path", "/proc") if given else ("--root", root / "serving")
    assert capsys.readouterr().err == (
        f"Expected {setting} to name a folder that can be written. Received: '{place}' (No such file or directory). "
        "Change its permissions, or give another folder.\n"
    )
    assert list((root / "artifacts").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
@pytest.mark.parametrize(("mode", "named"), [(0o755, "models"), (0o700, "models"), (0o777, None)])
def test_the_permissions_of_a_folder_decide_for_whoever_runs(mode, named):
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # pytest's own is root's alone
        Path(folder).chmod(0o755)
        (Path(folder) / "models").mkdir()
        (Path(folder) / "models").chmod(mode)
        code = "import os; from pipeline import places; os.setuid(54321)"
        code += f"\nfor check in (places.check_base_path, places.check_writable): check({folder + '/models/digits'!r}, 'x')"
        answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    refused = f"Expected x to name a folder that can be written. Received: '{folder}/{named}' (Permission denied)."
    assert answer.returncode == (1 if named else 0), answer.stderr
    assert named is None or refused in answer.stderr
