"""Whoever waits for locked metadata is told what for, although ml-metadata lets no thread of the process run meanwhile."""

import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import lock_watch

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def database(tmp_path):
    file = tmp_path / "with a space#" / "metadata.sqlite"
    file.parent.mkdir()
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (a)")
        yield file, connection


# The interpreter's lock is held meanwhile, as by ml-metadata: the process prints nothing itself until the lock on the file is gone.
WAITING = """
import ctypes, sys
from pathlib import Path
from pipeline.lock_watch import watching
with watching(Path(sys.argv[1]), sys.stdout, patience=0.2):
    ctypes.PyDLL(None).read(0, ctypes.create_string_buffer(1), 1)  # PyDLL keeps the interpreter's lock
print("went on")
"""


@pytest.mark.parametrize("lock", ["BEGIN EXCLUSIVE", "BEGIN IMMEDIATE", "BEGIN; SELECT * FROM t"])
def test_a_lock_that_stays_is_told_once_while_the_run_waits(database, lock):
    file, connection = database
    for statement in lock.split("; "):
        connection.execute(statement).fetchall()
    command = [sys.executable, "-c", WAITING, str(file)]
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as waiting:
        line = waiting.stdout.readline()
        assert line.startswith(f"Waiting: another process has had '{file}' locked for 0.2 s. Close what has it open")
        rest, _ = waiting.communicate("x")
    assert (waiting.returncode, rest) == (0, "went on\n")


def test_nothing_is_told_of_a_free_file_or_of_one_that_is_not_there(database, tmp_path):
    file, _ = database
    assert not lock_watch._is_locked(str(file))
    assert not lock_watch._is_locked(str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_the_watcher_ends_with_a_run_that_is_killed(database):
    """It writes to the run's stdout, which ends only when both have."""
    file, _ = database
    kill = WAITING.replace("ctypes.PyDLL", "import os; os.kill(os.getpid(), 9); ctypes.PyDLL")
    answer = subprocess.run(
        [sys.executable, "-c", kill, str(file)], cwd=CHECKOUT, stdin=subprocess.DEVNULL, capture_output=True, timeout=60
    )
    assert (answer.returncode, answer.stdout) == (-9, b"")


def test_a_run_goes_on_where_no_watcher_can_be_started(database, tmp_path, monkeypatch):
    file, _ = database
    not_executable = tmp_path / "python"
    not_executable.touch(mode=0o600)
    monkeypatch.setattr(sys, "executable", str(not_executable))
    with (tmp_path / "terminal").open("w") as terminal, lock_watch.watching(file, terminal):
        pass
