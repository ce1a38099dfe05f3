"""The whole compiled package under KFP's rules: ingestion to a pushed model that is the local run's."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]
MNIST = os.environ.get("TAPELINE_MNIST", "")


def _tapeline(*arguments):
    command = [sys.executable, "-m", "pipeline.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _both(tmp_path, config, *overrides, parameters=(), kfp="2.17"):
    """The summaries of a local run and of an emulated one."""
    sets = [word for override in overrides for word in ("--set", override)]
    local = _tapeline("run", config, *sets, "--root", tmp_path / "local", "--json")
    package = tmp_path / "pipeline.yaml"
    assert _tapeline("compile", config, *sets, "--target", "kubeflow", "-o", package).returncode == 0
    given = [word for parameter in parameters for word in ("-p", parameter)]
    emulated = _tapeline("kubeflow", "emulate", package, "--root", tmp_path / "emulated", "--kfp", kfp, "--json", *given)
    for run in (local, emulated):
        assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(local.stdout.splitlines()[-1]), json.loads(emulated.stdout.splitlines()[-1])


def _same(local, emulated):
    assert emulated["outcome"] == local["outcome"] == "pushed"
    assert emulated["metrics"] == local["metrics"]
    assert [line["name"] for line in emulated["components"]] == [line["name"] for line in local["components"]]
    assert (Path(emulated["model_dir"]) / "saved_model.pb").is_file()


@pytest.mark.parametrize(("loop", "kfp"), [("fit", "2.4"), ("gradient_tape", "2.17")])
def test_digits_give_the_metrics_of_a_local_run(tmp_path, loop, kfp):
    exports = ("export.litert=[float32]", "export.warmup=8")
    local, emulated = _both(tmp_path, "configs/digits.yaml", f"trainer.loop={loop}", "trainer.epochs=8", *exports, kfp=kfp)
    _same(local, emulated)
    [measured] = (tmp_path / "emulated").rglob("converted/measured.json")
    [litert] = json.loads(measured.read_text())
    assert (litert["format"], litert["failure"]) == ("litert float32", None) and litert["value"] == litert["saved_model"]
    assert f"converted models are in {measured.parent}" in emulated["notes"]
    assert Path(emulated["model_dir"], "assets.extra", "tf_serving_warmup_requests").is_file()


def test_a_model_learns_from_the_one_pushed_before_as_in_a_local_run(tmp_path):
    least = "evaluator.min_accuracy=0.5"
    before = _tapeline("run", "configs/digits.yaml", "--set", "trainer.epochs=4", "--set", least, "--root", tmp_path / "local")
    assert before.returncode == 0, before.stderr[-2000:]
    shutil.copytree(tmp_path / "local" / "serving", tmp_path / "emulated" / "serving")
    settings = ("trainer.loop=gradient_tape", "trainer.step=distill", "trainer.epochs=3", least, "evaluator.max_accuracy_drop=0.9")
    local, emulated = _both(tmp_path, "configs/digits.yaml", *settings)
    _same(local, emulated)
    assert "TeacherModel" in [line["name"] for line in emulated["components"]]
    here, there = (Path(run["model_dir"]) / "variables" / "variables.data-00000-of-00001" for run in (local, emulated))
    assert here.read_bytes() == there.read_bytes()


def test_a_training_starts_from_the_model_pushed_before_as_in_a_local_run(tmp_path):
    least = "evaluator.min_accuracy=0.5"
    before = _tapeline("run", "configs/digits.yaml", "--set", "trainer.epochs=4", "--set", least, "--root", tmp_path / "local")
    assert before.returncode == 0, before.stderr[-2000:]
    shutil.copytree(tmp_path / "local" / "serving", tmp_path / "emulated" / "serving")
    settings = ("trainer.start_from=last", "trainer.epochs=3", least, "evaluator.max_accuracy_drop=0.9")
    local, emulated = _both(tmp_path, "configs/digits.yaml", *settings)
    assert emulated["outcome"] == local["outcome"] == "pushed"
    assert "StartModel" in [line["name"] for line in emulated["components"]]
    here, there = (Path(run["model_dir"]) / "variables" / "variables.data-00000-of-00001" for run in (local, emulated))
    assert here.read_bytes() == there.read_bytes()


@pytest.mark.skipif(not MNIST, reason="TAPELINE_MNIST names no folder with MNIST's files")
@pytest.mark.parametrize("loop", ["fit", "gradient_tape"])
def test_mnist_gives_the_metrics_of_a_local_run(tmp_path, loop):
    overrides = (f"trainer.loop={loop}", "trainer.epochs=1", "evaluator.min_accuracy=0.9", f"data.path={MNIST}")
    _same(*_both(tmp_path, "configs/mnist.yaml", *overrides, kfp="2.14"))


def test_a_refused_model_is_not_pushed_and_says_why(tmp_path):
    package = tmp_path / "pipeline.yaml"
    _tapeline("compile", "configs/digits.yaml", "-o", package)
    run = _tapeline("kubeflow", "emulate", package, "--root", tmp_path / "root", "-p", "epochs=1", "-p", "min_accuracy=0.999", "--json")
    summary = json.loads(run.stdout.splitlines()[-1])
    assert (run.returncode, summary["outcome"]) == (3, "refused")
    assert "below the bound of 0.9990" in summary["reasons"][0]
    assert not (tmp_path / "root" / "serving").exists()
