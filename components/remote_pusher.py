"""Pushes a model to object storage, which has no rename: the file that makes it a model comes last.

pick a number -> claim it, alone -> copy, saved_model.pb last -> give the claim up
"""

import contextlib
import random
import uuid
from collections.abc import Iterator

from tfx.dsl.io import fileio
from tfx.utils import io_utils

from components.next_version import next_version
from serving import versions

_LAST = ("saved_model.pb", "saved_model.pbtxt")


def push(model: str, base: str) -> str:
    """Makes `model` the newest version below the URL `base` and returns its version, which no other process gets at the same time.

    Raises:
      ConfigError: there is no higher version than the newest one.
    """
    taken: set[int] = set()
    while True:
        version = next_version(_versions(base), taken, base)
        with _claim(base, version) as is_mine:
            if is_mine:
                _copy(model, f"{base}/{version}")
                return str(version)
        taken.update(range(version, version + random.randint(1, 16)))  # noqa: S311 - so that two that have met part again


@contextlib.contextmanager
def _claim(base: str, version: int) -> Iterator[bool]:
    """Whether this process alone may write `version`.

    Whoever sees another's claim steps aside. Where listings are consistent, the later of two sees the earlier one, so at most one goes on.
    """
    folder = f"{base}/.incoming-{version}"
    mine = f"{folder}/{uuid.uuid4().hex}"
    io_utils.write_string_file(mine, "")
    try:
        yield len(fileio.listdir(folder)) == 1 and version not in _versions(base)
    finally:
        fileio.remove(mine)
        with contextlib.suppress(Exception):  # another's claim is in it, or there are no folders on this storage
            if not fileio.listdir(folder):
                fileio.rmtree(folder)


def _copy(model: str, target: str) -> None:
    try:
        io_utils.copy_dir(model, target, deny_regex_patterns=[r"/saved_model\.pb(txt)?$"])
        for name in _LAST:
            if fileio.exists(f"{model}/{name}"):
                io_utils.copy_file(f"{model}/{name}", f"{target}/{name}")
    except BaseException:
        with contextlib.suppress(Exception):  # the first failure is the one to tell
            fileio.rmtree(target)
        raise


def _versions(base: str) -> dict[int, str]:
    return versions.by_number(name.rstrip("/") for name in fileio.listdir(base)) if fileio.exists(base) else {}
