"""Small trees of the files by which Linux shows its control groups."""

import psutil
import pytest

from trainer.free_memory import free_memory

UNLIMITED = 9223372036854771712  # what version 1 shows where there is no limit
V1, V2 = "sys/fs/cgroup/memory", "sys/fs/cgroup"


def group(folder, limit, used, cached=0):
    """The files of a group of either version."""
    if folder.startswith(V1):
        return {
            f"{folder}/memory.limit_in_bytes": limit,
            f"{folder}/memory.usage_in_bytes": used,
            f"{folder}/memory.stat": f"inactive_file 1\ntotal_inactive_file {cached}",
        }
    return {
        f"{folder}/memory.max": limit,
        f"{folder}/memory.current": used,
        f"{folder}/memory.stat": f"anon 5\ninactive_file {cached}",
    }


def tree(folder, membership, *groups):
    for name, content in {"proc/self/cgroup": membership, **{k: v for files in groups for k, v in files.items()}}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{content}\n")
    return folder


@pytest.mark.parametrize(
    ("membership", "groups", "left"),
    [
        ("0::/", [group(V2, 8000, 3000)], 5000),
        ("0::/", [group(V2, 8000, 7000, 4000)], 5000),
        ("0::/", [group(V2, 8000, 9000)], 0),
        ("0::/kubepods/pod1/c", [group(f"{V2}/kubepods/pod1", 6000, 1000), group(f"{V2}/kubepods/pod1/c", "max", 500)], 5000),
        ("0::/kubepods/pod1/c", [group(f"{V2}/kubepods/pod1", 6000, 1000), group(f"{V2}/kubepods/pod1/c", 2000, 500)], 1500),
        ("0::/../../kubepods/pod1/c", [group(V2, 4000, 1000)], 3000),
        ("0::/the/hosts/name/for/it", [group(V2, 4000, 1000)], 3000),
        ("12:cpu,cpuacct:/\n4:memory:/docker/abc\n0::/", [group(V1, UNLIMITED, 90), group(f"{V1}/docker/abc", 7000, 2000, 500)], 5500),
        ("4:memory:/docker/abc", [group(V1, 7000, 2000)], 5000),
        ("0::/kube.slice:cri:abc", [group(f"{V2}/kube.slice:cri:abc", 6000, 1000)], 5000),
        ("4:cpu,memory:/abc\n5:pids:/", [group(f"{V1}/abc", 7000, 2000)], 5000),
        ("3:cpu:/tight\n4:memory:/abc", [group(f"{V1}/tight", 90, 10), group(f"{V1}/abc", 7000, 2000)], 5000),
        ("0::/", [group("sys/fs", 90, 10), group(V2, 8000, 3000)], 5000),
    ],
    ids=[
        "v2",
        "v2-file-cache",
        "v2-over",
        "v2-pod",
        "v2-container",
        "v2-namespace",
        "v2-host-path",
        "v1",
        "v1-host-path",
        "colons",
        "joint",
        "v1-other-controller",
        "above-the-mount",
    ],
)
def test_what_is_left_is_what_the_tightest_group_leaves(tmp_path, membership, groups, left):
    assert free_memory(tree(tmp_path, membership, *groups)) == left


@pytest.mark.parametrize(
    ("membership", "groups"),
    [("0::/", []), ("0::/", [group(V2, "max", 5)]), ("4:memory:/", [group(V1, UNLIMITED, 5)])],
    ids=["none", "v2", "v1"],
)
def test_without_a_limit_the_machine_decides(tmp_path, membership, groups):
    total = psutil.virtual_memory().total
    assert 0 < free_memory(tree(tmp_path, membership, *groups)) <= total
    assert 0 < free_memory(tmp_path / "no-control-groups-here") <= total
