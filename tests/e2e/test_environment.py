"""Runs in the environment of somebody else: their settings of Keras, no home, no passwd entry, packages of our names; and a signal."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
FAST = """name: digits
data: {format: digits}
preprocessing: {image_size: [8, 8]}
trainer: {model: cnn, epochs: 2, batch_size: 32}
evaluator: {min_accuracy: 0.1}
"""


@pytest.fixture(scope="module")
def fast(tmp_path_factory):
    """A config whose run takes seconds."""
    file = tmp_path_factory.mktemp("config") / "fast.yaml"
    file.write_text(FAST)
    return file


def run(fast, root, environ, prefix=()):
    """A run's record in exactly this environment; it must have ended with 0. `prefix` comes before the command."""
    command = [*prefix, sys.executable, "-c", "from tapeline import console; console()", "run", str(fast), "--root", str(root), "--json"]
    environ = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(CHECKOUT)} | environ
    answer = subprocess.run(command, cwd=root.parent, env=environ, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def plain(fast, tmp_path_factory):
    """The record of a run in an environment that says nothing of Keras."""
    folder = tmp_path_factory.mktemp("plain")
    return run(fast, folder / "root", {"HOME": str(folder)})


def test_somebody_elses_keras_changes_no_bit_of_the_metrics(fast, plain, tmp_path):
    settings = {"floatx": "float16", "epsilon": 1e-3, "backend": "jax", "image_data_format": "channels_first"}
    for folder in (tmp_path, tmp_path / ".keras"):
        folder.mkdir(exist_ok=True)
        (folder / "keras.json").write_text(json.dumps(settings))
    theirs = {"KERAS_BACKEND": "jax", "KERAS_HOME": str(tmp_path), "KERAS_MAX_EPOCHS": "1", "TF_USE_LEGACY_KERAS": "1"}
    threads = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "7"}
    assert run(fast, tmp_path / "root", {"HOME": str(tmp_path), **theirs, **threads})["metrics"] == plain["metrics"]


def test_packages_of_our_names_on_the_path_change_nothing(fast, plain, tmp_path):
    for name in ("components", "pipeline", "serving", "trainer"):
        (tmp_path / "theirs" / name).mkdir(parents=True)
        (tmp_path / "theirs" / name / "__init__.py").write_text("raise SystemExit('theirs')")
    path = f"{tmp_path / 'theirs'}{os.pathsep}{CHECKOUT}"
    assert run(fast, tmp_path / "root", {"HOME": str(tmp_path), "PYTHONPATH": path})["metrics"] == plain["metrics"]


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root may become another user, by setpriv")
def test_a_user_without_a_home_and_without_a_passwd_entry_runs(plain):
    """As on OpenShift: any user, and the group 0."""
    nobody_known = ["setpriv", "--reuid", "54321", "--regid", "0", "--clear-groups"]
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # pytest's own is root's alone
        Path(folder).chmod(0o777)
        config = Path(folder) / "fast.yaml"
        config.write_text(FAST)
        assert run(config, Path(folder) / "root", {}, nobody_known)["metrics"] == plain["metrics"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_while_a_component_runs_ends_in_order(fast, place, number, status):
    where = place(f"signal-{status}")
    command = [sys.executable, "-m", "pipeline.cli", "run", str(fast), "--json", "--root", str(where.root), "--set", "trainer.epochs=2000"]
    command += ["--set", "trainer.early_stopping=null"]
    with subprocess.Popen(
        command, cwd=where.folder / "cwd", env=where.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stderr:
            if line.split()[1:2] == ["Transform"]:
                break
        epochs = where.root / "tmp" / "epochs.jsonl"
        while process.poll() is None and not epochs.is_file():
            pass
        process.send_signal(number)
        stdout, stderr = process.communicate()
    assert process.returncode == status
    said = "Trainer was interrupted. Run the same command again: finished components are taken from the cache."
    assert f"Failed: {said}" in stderr
    record = json.loads(stdout)
    assert (record["outcome"], record["reasons"], record["version"]) == ("failed", [said], None)
    assert not (where.root / "tmp").exists()


SIGNAL_AT_THE_END = """
import os, signal
from pipeline import interruption
from pipeline.runs import local
interruption.raise_on_signals()
def interrupted(before):
    def call(*arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        return before(*arguments)
    return call
"""


@pytest.mark.parametrize("where", ["local.last_run.remember", "local.print_summary"])
def test_a_signal_after_the_push_leaves_the_outcome_as_it_is(fast, place, where):
    here = place("late-signal")
    code = f"{SIGNAL_AT_THE_END}\n{where} = interrupted({where})\n"
    with here.start(fast, code=code) as process:
        stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    record = json.loads(stdout)
    assert (record["outcome"], record["reasons"]) == ("pushed", [])
    assert record["version"] == max(here.versions())
    assert not (here.root / "tmp").exists()
