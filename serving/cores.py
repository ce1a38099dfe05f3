"""How many processor cores this process may use: what it is scheduled on, or what its container's quota pays for, if that is less."""

import math
import os
import pathlib
from collections.abc import Iterator

_V1, _V2 = "sys/fs/cgroup/cpu", "sys/fs/cgroup"  # where Linux shows either version of its control groups


def cores(root: pathlib.Path = pathlib.Path("/")) -> int:
    """At least 1; a quota of 1.5 cores counts as 2. `root` is the folder that holds `proc` and `sys`, if there are any."""
    scheduled_on = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([scheduled_on, *(math.ceil(quota) for quota in _quotas(root))]))


def _quotas(root: pathlib.Path) -> Iterator[float]:
    """Of the process's own group and of each group around it, in cores: all of them hold."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = root / (_V1 if controllers else _V2)
        # A container may see the path that the host knows, while the mount shows the container's own group: then only the mount exists.
        group = mount.joinpath(*(part for part in pathlib.PurePosixPath(path).parts if part not in ("/", "..")))
        for folder in (group, *group.parents):
            yield from _quota(folder)
            if folder == mount:
                break


def _quota(group: pathlib.Path) -> Iterator[float]:
    words = _read(group / "cpu.max").split() or [_read(group / "cpu.cfs_quota_us"), _read(group / "cpu.cfs_period_us")]
    if words[0] not in ("", "max", "-1"):  # no group of this name is mounted, or it has no quota
        yield int(words[0]) / int(words[1])


def _read(file: pathlib.Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
