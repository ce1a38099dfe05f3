"""Starts a worker, hears what it tells, passes signals on to it, and leaves nothing behind.

a fresh interpreter with the caller's module path -> its stdout and stderr into the log -> a thread that hears it -> wait -> its end
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any

from pipeline import interruption

# A module path of its own would be another one: -m and a script's name put folders in front of it. stdin stays open.
_PROGRAM = (
    "import json, sys; request = json.loads(sys.stdin.readline()); sys.path[:] = request['path']; "
    "from pipeline.runs import worker; worker.main(request)"
)


@dataclass(frozen=True)
class End:
    """How a worker ended.

    Attributes:
      status: its exit status, negative where a signal ended it.
      interruption: what has come meanwhile to interrupt this process; it was passed on.
    """

    status: int
    interruption: KeyboardInterrupt | None

    def __str__(self) -> str:
        """In words, for an error's line."""
        if self.status >= 0:
            return f"exit status {self.status}"
        name = signal.Signals(-self.status).name
        return f"{name}, which the kernel also sends where memory is short" if name == "SIGKILL" else name


def run(
    of: Mapping[str, Any],
    hear: Callable[[list[Any]], None],
    log: int,
    environ: Mapping[str, str],
    lock: int | None = None,
    settled: Callable[[], None] = lambda: None,
) -> End:
    """Does `pipeline.runs.worker`'s `run` in a process of its own, and returns once that has ended.

    The first interruption is passed on, and the worker has time to end in order; the second one ends it and is raised.

    Args:
      of: what it is run with, in plain values.
      hear: called with each event that the worker tells, in a thread of its own. It must not raise.
      log: descriptor that gets the worker's stdout and stderr.
      environ: its environment variables.
      lock: descriptor that the worker holds too, so that a lock stays until both are gone.
      settled: called once the worker has ended, before an interruption could come in between.

    Raises:
      OSError: no further process can be started.
    """
    reading, writing = os.pipe()
    descriptors = [writing] if lock is None else [writing, lock]
    with contextlib.ExitStack() as stack:
        events = stack.enter_context(os.fdopen(reading, encoding="utf-8"))
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=log, stderr=log, env=environ, pass_fds=descriptors
            )
        finally:
            os.close(writing)
        stack.callback(_end, process)
        request = {"of": of, "path": [str(place) for place in sys.path], "caller": os.getpid(), "descriptors": descriptors}
        heard = threading.Event()
        threading.Thread(target=_hear, args=(events, hear, heard), daemon=True).start()
        assert process.stdin  # noqa: S101 - for the type
        with contextlib.suppress(BrokenPipeError):  # it has ended already
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        interrupted = _wait(heard, process, settled)
        return End(process.wait(), interrupted)


def _hear(events: IO[str], hear: Callable[[list[Any]], None], heard: threading.Event) -> None:
    """Reads to the end, whatever becomes of what is heard: the worker must not wait for its reader."""
    try:
        for line in events:
            with contextlib.suppress(ValueError):  # half a line, of a worker that was killed or interrupted; or none
                hear(json.loads(line))
    finally:
        heard.set()


def _wait(heard: threading.Event, process: subprocess.Popen, settled: Callable[[], None]) -> KeyboardInterrupt | None:
    """Waits for the worker's end. Not by Thread.join: after an interruption Python 3.11 takes the thread for ended."""
    interrupted = None
    while True:
        try:
            heard.wait()
            settled()
            return interrupted
        except KeyboardInterrupt as error:
            if interrupted:
                raise
            interrupted = error
            process.send_signal((interruption.exit_status(error) or 128 + signal.SIGINT) - 128)


def _end(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.kill()
    process.communicate()
