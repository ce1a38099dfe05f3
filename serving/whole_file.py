"""A file that is written whole or not at all: whoever reads it meanwhile reads what it was, or what it is now.

text -> a new file in the same folder -> renamed over the old one
"""

import errno
import os
import secrets
import shutil
import stat
from pathlib import Path

_LONGEST = 50  # characters of the name in that of the unfinished file, which may have at most 255 bytes


def check(path: Path) -> None:
    """Raises OSError where something else than a regular file is there: a folder; a device or a pipe, which would be one no longer."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "It is no regular file", str(path))


def write(path: Path, text: str) -> None:
    """Writes `text` in UTF-8 with the permissions of the old file, if there is one. A symbolic link stays one: its file is replaced.

    Raises OSError, also as `check`; everything is as it was then.
    """
    check(path)
    target = Path(os.path.realpath(path))
    part = target.with_name(f".{target.name[:_LONGEST]}-{secrets.token_hex(4)}")
    try:
        with part.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, part)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
