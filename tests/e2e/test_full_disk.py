"""A run whose disk is full says in one line which component had no room, where, and what to do."""

import re
import shlex
import shutil
import subprocess
import sys

import pytest

NEW_MOUNTS = ["unshare", "--user", "--map-root-user", "--mount"]  # gone with the process
MAY_MOUNT = shutil.which("unshare") and not subprocess.run([*NEW_MOUNTS, "true"], capture_output=True, check=False).returncode


@pytest.mark.skipif(not MAY_MOUNT, reason="only where a process may have mounts of its own")
@pytest.mark.parametrize("kilobytes", [300, 1000])  # SQLite's and TensorFlow's own words
def test_a_full_disk_is_named_with_its_place(place, digits_yaml, kilobytes):
    here = place(f"full-{kilobytes}")
    here.root.mkdir()
    run = [sys.executable, "-m", "pipeline.cli", "run", str(digits_yaml), "--root", str(here.root), "--set", "trainer.epochs=2"]
    script = f"mount -t tmpfs -o size={kilobytes}k none {shlex.quote(str(here.root))} && {shlex.join(run)}"
    answer = subprocess.run(
        [*NEW_MOUNTS, "sh", "-c", script], cwd=here.folder, env=here.environment, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 1, answer.stderr
    [line] = [line for line in answer.stdout.splitlines() if line.startswith("Failed:")]
    assert re.fullmatch(
        rf"Failed: \w+: Expected room on the disk for '{here.root}[^']*'\. Received: (No space left on device|database or disk is full)\. "
        r"Free space there, or write to another disk \(a run: with another --root DIR\)\.",
        line,
    )
