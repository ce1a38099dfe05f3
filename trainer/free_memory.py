"""How much memory this process may still take: what the machine has free, or what its container's limit leaves, if that is less."""

import pathlib
import re
from collections.abc import Iterator
from typing import NamedTuple

import psutil


class _Files(NamedTuple):
    """Where a version of Linux's control groups says what a group may use and does use."""

    mount: str
    limit: str
    usage: str
    reclaimable: str  # the key in `memory.stat` of the cached file pages, which count as used and give way


_V1 = _Files("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_V2 = _Files("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file")


def free_memory(root: pathlib.Path = pathlib.Path("/")) -> int:
    """Bytes. `root` is the folder that holds `proc` and `sys`; where there are no control groups, the machine alone decides."""
    return max(0, min([psutil.virtual_memory().available, *_left_by_groups(root)]))


def _left_by_groups(root: pathlib.Path) -> Iterator[int]:
    """What the process's own group and each group around it leave: the limit of any of them ends the process."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        files = _V1 if controllers else _V2
        mount = root / files.mount
        # A container may see the path that the host knows, while the mount shows the container's own group: then only the mount exists.
        group = mount.joinpath(*(part for part in pathlib.PurePosixPath(path).parts if part not in ("/", "..")))
        for folder in (group, *group.parents):
            yield from _left(folder, files)
            if folder == mount:
                break


def _left(group: pathlib.Path, files: _Files) -> Iterator[int]:
    limit = _read(group / files.limit)
    if limit in ("", "max"):  # no group of this name is mounted, or it has no limit
        return
    reclaimable = re.search(rf"^{files.reclaimable} (\d+)$", _read(group / "memory.stat"), re.MULTILINE)
    yield int(limit) - int(_read(group / files.usage) or 0) + int(reclaimable[1] if reclaimable else 0)


def _read(file: pathlib.Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
