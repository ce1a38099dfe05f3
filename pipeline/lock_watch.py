"""Tells the terminal that a run waits for its metadata, which another process has locked.

ml-metadata waits without end and without a word, and holds the interpreter's lock meanwhile: no thread of the run could say it. So a
process of its own does, of the standard library alone:

locked? once a second -> for ten seconds in a row? -> one line -> until the run ends
"""

import contextlib
import select
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

_PATIENCE = 10.0  # seconds; a run's own transactions take milliseconds
_PAUSE = 1.0


@contextlib.contextmanager
def watching(file: Path, terminal: TextIO, patience: float = _PATIENCE) -> Iterator[None]:
    """Watches the SQLite database `file`, which need not be there yet; the line goes to `terminal`, after `patience` seconds.

    Where no further process can be started, nobody watches: it would only have printed.
    """
    command = [sys.executable, "-IS", __file__, str(file), str(patience)]  # alone: in tens of milliseconds
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            watcher = stack.enter_context(
                subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=terminal.fileno(), stderr=subprocess.DEVNULL, start_new_session=True
                )
            )  # in a session of its own: Ctrl-C is for the run
            stack.callback(watcher.communicate)  # closes its stdin, which ends it; so does the end of this process, however it comes
        yield


def _watch(file: str, patience: float) -> None:
    free_at = time.monotonic()
    told = False
    while not select.select([sys.stdin], [], [], min(_PAUSE, patience / 10))[0]:
        if not _is_locked(file):
            free_at, told = time.monotonic(), False
        elif not told and time.monotonic() - free_at >= patience:
            sys.stdout.write(
                f"Waiting: another process has had '{file}' locked for {patience:g} s. Close what has it open (a database browser, a "
                "backup), and the run goes on.\n"
            )
            sys.stdout.flush()
            told = True


def _is_locked(file: str) -> bool:
    """Whether a run could not write now."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{quote(file)}?mode=rw", uri=True, timeout=0, isolation_level=None)) as database:
            database.execute("BEGIN EXCLUSIVE")
            database.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return False


if __name__ == "__main__":
    _watch(sys.argv[1], float(sys.argv[2]))
