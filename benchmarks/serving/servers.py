"""Servers in processes of their own, from their start to their end."""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.serving.worker import ENVIRONMENT

MODEL_NAME = "mnist"


class ServerFailed(Exception):
    """A server that ended before it served, with what it said."""


@dataclass(frozen=True)
class Server:
    """A server that answers: `grpc` and `rest` are HOST:PORT, `rest` is empty where there is none."""

    pid: int
    grpc: str
    rest: str


@contextlib.contextmanager
def tapeline(model_base_path: Path, *flags: str) -> Iterator[Server]:
    """`tapeline serve` on free ports, with the flags given besides."""
    ports = ["--port", "auto", "--rest_api_port", "auto"]
    command = ["-m", "pipeline.cli", "serve", "--model_name", MODEL_NAME, "--model_base_path", str(model_base_path), *ports, *flags]
    with _running([sys.executable, *command]) as server:
        yield server


@contextlib.contextmanager
def plain_grpc(version_folder: Path) -> Iterator[Server]:
    """The reference servicer."""
    with _running([sys.executable, "-m", "benchmarks.serving.plain_grpc", MODEL_NAME, str(version_folder)]) as server:
        yield server


@contextlib.contextmanager
def _running(command: Sequence[str]) -> Iterator[Server]:
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True, env={**os.environ, **ENVIRONMENT})
        try:
            yield _addresses(process, said)
        finally:
            process.terminate()
            process.communicate()


def _addresses(process: subprocess.Popen, said: IO[str]) -> Server:
    for line in process.stdout:
        if match := re.search(r" serves: gRPC (\S+), (?:REST (?:http://)?([\d.:]+)|no REST)", line):
            return Server(process.pid, match[1], match[2] or "")
    said.seek(0)
    raise ServerFailed(f"Expected the server to serve. It ended with status {process.wait()} and said:\n{said.read()}")


def newest(model_base_path: Path) -> Path:
    """The folder of the newest version."""
    return max((path for path in model_base_path.iterdir() if path.name.isdecimal()), key=lambda path: int(path.name))
