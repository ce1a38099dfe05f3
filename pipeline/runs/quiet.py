"""Sends everything that TFX, Beam, TensorFlow and their C++ parts say to a log file, or hides it."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from serving.terminal import lenient
from trainer.errors import TapelineError


@contextlib.contextmanager
def log_of(log: Path, shown: int | None) -> Iterator[int]:
    """A descriptor for another process to say things on: they go to `log`, and to the descriptor `shown` as well, if there is one."""
    if shown is None:
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            yield target
        finally:
            os.close(target)
    else:
        with _tee(log, shown) as tee:  # ends once nobody says anything any more
            assert tee.stdin  # noqa: S101 - for the type
            yield tee.stdin.fileno()


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
            with _output_to(log):
                yield
        except TapelineError:  # says everything itself
            raise
        except Exception:  # nobody foresaw it: what was hidden is needed, and the error goes on as it is
            sys.stderr.write(log.read_text(encoding="utf-8", errors="replace"))
            raise


@contextlib.contextmanager
def _output_to(log: Path) -> Iterator[None]:
    """Redirects the file descriptors 1 and 2. Python's `sys.stdout` is no use here: C++ writes to the descriptors."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved_out, saved_err = os.dup(1), os.dup(2)
    terminal = sys.stdout, sys.stderr
    with log_of(log, None) as target:
        os.dup2(target, 1)
        os.dup2(target, 2)
    sys.stdout, sys.stderr = (lenient(descriptor, "utf-8", closefd=False) for descriptor in (1, 2))  # a log is UTF-8, and may be full
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = terminal
        os.dup2(saved_out, 1)
        os.dup2(saved_err, 2)
        os.close(saved_out)
        os.close(saved_err)
