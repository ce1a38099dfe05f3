"""Runs a program of the set-up and says what it is at: on a terminal in one line that changes, in a log now and then.

its stderr, line by line -> what uv says of its steps changes what it is at -> the list of packages is dropped -> the rest is passed on
no line for a while -> what it is at, and for how long
"""

import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

TERMINAL_SECONDS, LOG_SECONDS = 1.0, 10.0
_CLEAR = "\r\x1b[2K"
_NEXT = {"Resolved": "fetching and installing", "Prepared": "installing", "Installed": "compiling", "Bytecode compiled": "finishing"}
_STEP = re.compile(rf"({'|'.join(_NEXT)}) \d+ (?:packages?|files?) in ")
_BEGUN, _DONE = re.compile(r" *(?:Downloading|Building) (\S+)"), re.compile(r" *(?:Downloaded|Built) (\S+)")
_DROPPED = re.compile(r" [+~-] \S+|Using Python ")


def run(command: Sequence[str], environ: Mapping[str, str], doing: str) -> int:
    """Runs `command`, whose stderr it shortens and passes on, and returns its exit status; `doing` is what it is at first."""
    progress = Progress(doing)
    with subprocess.Popen(command, env=dict(environ), stderr=subprocess.PIPE) as process:
        rest = b""
        while True:
            if select.select([process.stderr], [], [], TERMINAL_SECONDS)[0]:
                received = os.read(process.stderr.fileno(), 2**16)
                if not received:
                    break
                *lines, rest = (rest + received).split(b"\n")
                for line in lines:
                    progress.read(line.decode(errors="replace"))
            progress.tell()
        if rest:
            progress.read(rest.decode(errors="replace"))
    progress.clear()
    return process.returncode


class Progress:
    """What a program is at, as far as its lines tell it."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._under_way: dict[str, None] = {}  # packages that are downloaded or built now, the first one first
        self._in_place = sys.stderr.isatty()
        self._began = self._told = time.monotonic()

    def read(self, line: str) -> None:
        """Takes one line of the program's."""
        if step := _STEP.match(line):
            self._doing = _NEXT[step[1]]
            self._under_way.clear()
        elif begun := _BEGUN.match(line):
            self._under_way[begun[1]] = None
        elif done := _DONE.match(line):
            self._under_way.pop(done[1], None)
        elif not _DROPPED.match(line):
            self.clear()
            print(line, file=sys.stderr, flush=True)

    def tell(self) -> None:
        """Says what the program is at, where that is due."""
        now = time.monotonic()
        if now - self._told < (TERMINAL_SECONDS if self._in_place else LOG_SECONDS):
            return
        self._told = now
        text = f"make: {self._doing}{self._names()}, {now - self._began:.0f} s"
        if self._in_place:
            print(_CLEAR + text[: shutil.get_terminal_size().columns - 1], end="", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Takes the line that changes off the terminal."""
        if self._in_place:
            print(_CLEAR, end="", file=sys.stderr, flush=True)

    def _names(self) -> str:
        if not self._under_way:
            return ""
        first, *others = self._under_way
        return f": {first}" + (f" and {len(others)} more" if others else "")
