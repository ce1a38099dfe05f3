"""The sha256 of files, taken again only where size, times or inode say that a file is another one than when it was taken."""

import contextlib
import hashlib
import json
import time
from pathlib import Path

from serving import whole_file

_SETTLED = 2_000_000_000  # nanoseconds: a file that was changed later than that before its digest was taken may be changed unseen


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
        now = [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino, state.st_dev]
        known = self._known.get(str(path))
        if isinstance(known, list) and len(known) == 2 and known[0] == now and isinstance(known[1], str):
            return known[1]
        started = time.time_ns()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if started - max(state.st_mtime_ns, state.st_ctime_ns) > _SETTLED:
            self._known[str(path)] = [now, digest]
            self._new = True
        return digest

    def save(self) -> None:
        """Writes what is new to the memory, whole or not at all; a disk without room loses it."""
        if self._memory and self._new:
            with contextlib.suppress(OSError):
                whole_file.write(self._memory, json.dumps(self._known))
