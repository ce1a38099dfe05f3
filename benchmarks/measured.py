"""Runs a command as a whole process and measures it with the operating system's own accounting."""

import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Measured:
    """One finished process.

    Attributes:
      seconds: wall time from start to end, imports included.
      cpu_seconds: user and system time, its children's included.
      peak_mib: the largest resident set of any single process of it, in MiB.
    """

    seconds: float
    cpu_seconds: float
    peak_mib: float


class CommandFailed(Exception):
    """The measured command ended with a status other than 0."""


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Measured:
    """Runs `command` with this interpreter's environment and waits for it.

    Raises:
      CommandFailed: with the end of what it printed.
    """
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})})
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            end = output.read().decode(errors="replace")[-2000:]
            raise CommandFailed(f"Expected exit status 0 of {' '.join(command)}. Received: {process.returncode}. It ended with:\n{end}")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10  # ru_maxrss: bytes on macOS, KiB on Linux
    return Measured(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)


def python(module: str, *arguments: str | Path) -> list[str]:
    """The command that runs a module with this interpreter."""
    return [sys.executable, "-m", module, *map(str, arguments)]
