"""The sha256 of files, taken again only where size, times or inode say that a file is another one than when it was taken."""

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path

from serving import whole_file

_SETTLED = 2_000_000_000  # nanoseconds: a file that was changed later than that before its digest was taken may be changed unseen


State = tuple[int, ...]


def state_of(found: os.stat_result) -> State:
    """What no change of a file leaves as it is: size, times, inode and device."""
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev


def is_settled(found: os.stat_result, now: int) -> bool:
    """Whether the file has been as it is for so long before `now`, in nanoseconds since 1970, that a later change has another time."""
    return now - max(found.st_mtime_ns, found.st_ctime_ns) > _SETTLED


class Digests:
    """Remembers digests in a file, which anybody may remove."""

    def __init__(self, memory: Path | None = None) -> None:
        self._memory = memory
        self._known: dict[str, list] = {}
        self._new = False
        if memory:
            with contextlib.suppress(OSError, ValueError, RecursionError):  # not there, or broken: it is only a cache
                known = json.loads(memory.read_bytes())
                self._known = known if isinstance(known, dict) else {}

    def of(self, path: Path) -> str:
        """The sha256 of the file's content, hexadecimal."""
        state = path.stat()
        now = list(state_of(state))
        known = self._known.get(str(path))
        if isinstance(known, list) and len(known) == 2 and known[0] == now and isinstance(known[1], str):
            return known[1]
        started = time.time_ns()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if is_settled(state, started):
            self._known[str(path)] = [now, digest]
            self._new = True
        return digest

    def save(self) -> None:
        """Writes what is new to the memory, whole or not at all; a disk without room loses it."""
        if self._memory and self._new:
            with contextlib.suppress(OSError):
                whole_file.write(self._memory, json.dumps(self._known))
