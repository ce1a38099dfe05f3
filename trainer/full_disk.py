"""The line for a disk that is full, by what Python, TensorFlow, HDF5 and SQLite say then.

message -> does it say so? -> which file, if it is named -> what was expected, where, what to do
"""

import errno
import os
import re
from pathlib import Path

_FULL = re.compile("|".join([os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT), "database or disk is full"]))
_FILES = (
    re.compile(rf"(?P<file>[^\s:;][^:;\n]*); (?:{_FULL.pattern})"),  # TensorFlow
    re.compile(rf"(?:{_FULL.pattern}): '(?P<source>[^'\n]+)'(?: -> '(?P<file>[^'\n]+)')?"),  # Python, which names two where it copies
    re.compile(r"filename = '(?P<file>[^'\n]+)'"),  # HDF5
)


def line(message: str, place: str) -> str | None:
    """What to say where an error's message says that a disk is full, or a quota spent; None where it says something else.

    Args:
      message: the error's own; few of them name the file.
      place: the folder that was written to, or an empty text: it is named where the message names no file, and a relative one starts there.
    """
    full = _FULL.search(message)
    if full is None:
        return None
    found = next((match for pattern in _FILES if (match := pattern.search(message))), None)
    groups = found.groupdict() if found else {}
    file = groups.get("file") or groups.get("source") or ""
    where = f" for '{Path(place, file)}'" if place or file else ""
    return (
        f"Expected room on the disk{where}. Received: {full[0]}. "
        "Free space there, or write to another disk (a run: with another --root DIR)."
    )
