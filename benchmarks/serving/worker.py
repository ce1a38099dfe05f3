"""A process that measures when it is told to, so that the sides of a comparison take turns while all of them stay warm.

the driver:  Worker(module, arguments) -> ask(method, **arguments) -> the answer; one line of JSON each way
the process: answer(methods) reads a line, calls the method that it names, writes what it returns
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

ENVIRONMENT = {"TF_USE_LEGACY_KERAS": "0", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore::FutureWarning"}


class WorkerFailed(Exception):
    """The process ended instead of answering; its own words are on stderr."""


class Worker:
    """`python -m module arguments...` under way; a context manager that ends it."""

    def __init__(self, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", module, *map(str, arguments)]
        self._module = module
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **ENVIRONMENT}
        )

    def ask(self, method: str, **arguments: Any) -> Any:
        """What the process's method returned.

        Raises:
          WorkerFailed: it ended before it answered.
        """
        line = ""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps([method, arguments]) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            raise WorkerFailed(f"Expected {self._module} to answer `{method}`. It ended with status {self._process.wait()}, see above.")
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()  # the end of its input is the end of its work
        self._process.wait()


def answer(methods: Mapping[str, Callable[..., Any]]) -> None:
    """Answers until the driver closes the pipe. Whatever else is printed, by a library say, goes to stderr."""
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        for line in sys.stdin:
            method, arguments = json.loads(line)
            print(json.dumps(methods[method](**arguments)), file=answers, flush=True)
