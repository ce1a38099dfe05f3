"""Sends everything that TFX, Beam, TensorFlow and their C++ parts say to a log file, and keeps the terminal for the run's own lines."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from serving.terminal import lenient
from trainer.errors import TapelineError


@contextlib.contextmanager
def output_to_log(log: Path, verbose: bool) -> Iterator[tuple[TextIO, TextIO]]:
    """Redirects the file descriptors 1 and 2 to `log`; gives the terminal's own stdout and stderr.

    Python's `sys.stdout` is no use here: C++ writes to the descriptors. With `verbose` the log is shown on stderr as well.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved_out, saved_err = os.dup(1), os.dup(2)
    terminal = sys.stdout, sys.stderr
    tee = _tee(log, saved_err) if verbose else None
    target = tee.stdin.fileno() if tee and tee.stdin else os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(target, 1)
    os.dup2(target, 2)
    sys.stdout, sys.stderr = (lenient(descriptor, "utf-8", closefd=False) for descriptor in (1, 2))  # a log is UTF-8, and may be full
    with lenient(os.dup(saved_out), terminal[0].encoding) as out, lenient(os.dup(saved_err), terminal[1].encoding) as err:
        try:
            yield out, err
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            sys.stdout, sys.stderr = terminal
            os.dup2(saved_out, 1)
            os.dup2(saved_err, 2)
            os.close(saved_out)
            os.close(saved_err)
            if tee and tee.stdin:
                tee.stdin.close()
                tee.wait()
            else:
                os.close(target)


def _tee(log: Path, shown: int) -> subprocess.Popen:
    """Copies its input to `log` and to the descriptor `shown`, also when nobody reads that any more: SIGPIPE stays ignored.

    In a session of its own: Ctrl-C is for the run, and tee must outlive it.
    """
    command = ["tee", "-a", str(log)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=shown, start_new_session=True, restore_signals=False)


@contextlib.contextmanager
def output_hidden() -> Iterator[None]:
    """Hides what libraries say while they are imported and compile; where something is raised, it is shown after all."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        try:
            with output_to_log(log, verbose=False):
                yield
        except TapelineError:  # says everything itself
            raise
        except Exception:  # nobody foresaw it: what was hidden is needed, and the error goes on as it is
            sys.stderr.write(log.read_text(encoding="utf-8", errors="replace"))
            raise
