"""Small trees of the files by which Linux shows its control groups."""

import os
import subprocess
import sys

import pytest

from serving import cores as module
from serving.cores import cores

V1, V2 = "sys/fs/cgroup/cpu", "sys/fs/cgroup"


def v1(folder, quota, period=100_000):
    return {f"{folder}/cpu.cfs_quota_us": quota, f"{folder}/cpu.cfs_period_us": period}


def v2(folder, quota, period=100_000):
    return {f"{folder}/cpu.max": f"{quota} {period}"}


@pytest.fixture
def eight_cores(monkeypatch):
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda process: set(range(8)), raising=False)


@pytest.mark.parametrize(
    ("membership", "files", "count"),
    [
        ("0::/", v2(V2, 200_000), 2),
        ("0::/", v2(V2, 150_000), 2),
        ("0::/", v2(V2, 10_000), 1),
        ("0::/", v2(V2, 40_000, 20_000), 2),
        ("0::/", v2(V2, 6_400_000), 8),
        ("0::/", v2(V2, "max"), 8),
        ("0::/kubepods/pod1/c", v2(f"{V2}/kubepods/pod1", 300_000) | v2(f"{V2}/kubepods/pod1/c", "max"), 3),
        ("0::/kubepods/pod1/c", v2(f"{V2}/kubepods/pod1", 300_000) | v2(f"{V2}/kubepods/pod1/c", 200_000), 2),
        ("0::/the/hosts/name/for/it", v2(V2, 400_000), 4),
        ("0::/../../c", v2(V2, 400_000), 4),
        ("12:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/", v1(f"{V1}/docker/abc", 300_000) | v1(V1, -1), 3),
        ("12:cpuset:/docker/abc", v1(f"{V1}/docker/abc", 300_000), 8),
        ("", {}, 8),
    ],
    ids=[
        *("v2", "a part of a core", "less than a core", "another period", "more than the machine has", "no quota"),
        *("the pod's quota", "the container's quota", "only the mount", "a path out of the namespace"),
        *("v1", "another controller", "no groups"),
    ],
)
def test_the_smallest_quota_decides(eight_cores, tmp_path, membership, files, count):
    for name, content in {"proc/self/cgroup": membership, **files}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{content}\n")
    assert cores(tmp_path) == count


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no process")
def test_a_process_that_is_pinned_uses_no_other_core(tmp_path):
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert cores(tmp_path) == 1
    finally:
        os.sched_setaffinity(0, before)
    assert cores(tmp_path) == len(before)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no process")
def test_the_server_has_a_batch_thread_for_each_core_that_it_may_use_with_and_without_a_file(tmp_path):
    (tmp_path / "batching.config").write_text("max_batch_size { value: 8 }")
    code = (
        "import os, pathlib, sys; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from serving.server.batching_parameters import BatchingParameters, read_batching_parameters;"
        "print(BatchingParameters().num_batch_threads, read_batching_parameters(pathlib.Path(sys.argv[1])).num_batch_threads)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "batching.config"], capture_output=True, text=True, check=True)
    assert done.stdout == "1 1\n"
