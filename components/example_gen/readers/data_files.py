"""Which files a path means, a file, a folder or a pattern, and whether one is still what it was when it was opened."""

import glob
import os
import re
import stat
from collections.abc import Collection
from pathlib import Path

from components.example_gen.readers.raw_file import sha256
from trainer.errors import ConfigError, DataError, did_you_mean, listed, printable, shortened

SHARD = re.compile(r"-\d+-of-\d+(?=\.|$)")  # `x.tfrecord-00000-of-00010`


def files_at(place: Path | str, suffixes: tuple[str, ...], what: str) -> dict[str, Path]:
    """The files by name: the one file, those in a folder whose names end in one of `suffixes`, or those that a pattern like `*.gz` matches.

    Files of a folder or pattern are in the order of their names, which are those below what all of them have in common. Hidden files and
    those that begin with `_`, as `_SUCCESS`, are left out of a folder.

    Args:
      place: where they are.
      suffixes: lower case, `.parquet`.
      what: a name for them, "Parquet files".

    Raises:
      ConfigError: there are none.
    """
    path = Path(place)
    if path.is_file():
        return {path.name: path}
    if path.is_dir():
        below = {file.relative_to(path): file for file in path.rglob("*") if file.is_file()}
        paths = [
            file
            for name, file in below.items()
            if SHARD.sub("", name.name.casefold()).endswith(suffixes) and not any(part.startswith((".", "_")) for part in name.parts)
        ]
        root, received = path, f"a folder with {len(below):,} others" if below else "an empty folder"
    else:
        paths = [Path(name) for name in glob.glob(str(place), recursive=True) if Path(name).is_file()]  # noqa: PTH207  # Path's takes no absolute one
        root = Path(str(place).split("*")[0].split("?")[0].split("[")[0] + "x").parent
        received = "a pattern that matches no file" if glob.has_magic(str(place)) else what_is(place)
    if not paths:
        raise ConfigError(f"Expected {what} in '{place}', names ending in {' or '.join(suffixes)}. Received: {received}.")
    return {file.relative_to(root).as_posix(): file for file in sorted(paths)}


def check_place(place: Path | str) -> None:
    """Raises ConfigError where the system does not let anybody look whether something is there, as of a name that is too long."""
    try:
        os.lstat(place)
    except (FileNotFoundError, NotADirectoryError):  # told with what is near, by whoever looks for it
        return
    except ValueError:
        raise ConfigError(f"Expected a path. Received: '{printable(str(place))}', which no path can be.") from None
    except OSError as error:
        raise ConfigError(f"Expected a path that can be looked at. Received: '{shortened(str(place))}': {error.strerror}.") from None


def what_is(path: Path | str) -> str:
    """What is at a path that is neither a file nor a folder, a clause for people: "which is not there"."""
    try:
        mode = os.lstat(path).st_mode
    except (OSError, ValueError):
        return "which is not there"
    if stat.S_ISLNK(mode):
        try:
            mode = os.stat(path).st_mode  # noqa: PTH116  # beside lstat
        except OSError:
            return f"which is a symbolic link to '{os.readlink(path)}', where nothing is"  # noqa: PTH115  # the text as it stands
    return "which is a pipe" if stat.S_ISFIFO(mode) else "which is no regular file, as devices and sockets are"


def check_column(path: Path, column: str, names: Collection[str], times: int = 1) -> None:
    """Raises ConfigError where `column` is not in `names`, DataError where the file has it more than once."""
    if column not in names:
        near = did_you_mean(column, names)
        raise ConfigError(f"Expected the column '{shortened(column)}' in '{path}'. Received: {listed(names) or 'none'}.{near}")
    if times > 1:
        raise DataError(f"Expected the column '{column}' once in '{path}'. Received: it {times} times. Rename all but one.")


def check_unchanged(path: Path, digest: str, now: str | None = None) -> None:
    """Raises DataError where the file's sha256, `now` or taken now, is not `digest`."""
    if (now or sha256(path)) != digest:
        raise DataError(f"Expected '{path}' to stay as it is while it is read. Received: another content than a moment ago. Run again.")
