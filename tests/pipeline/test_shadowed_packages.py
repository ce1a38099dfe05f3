"""Packages of the user's own that have the names of Tapeline's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPT = "import sys; sys.path.remove({checkout!r}); sys.path.append({checkout!r}); from tapeline import console; console()"
NAMES = ["components", "pipeline", "serving", "trainer"]


@pytest.fixture
def theirs(tmp_path):
    """A folder with a package of each name, which tells when it is imported."""
    for name in NAMES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"print('SHADOW {name}')")
    return tmp_path


@pytest.mark.parametrize("command", ["config check", "serve --help", "predict --help", "doctor"])
def test_the_script_finds_its_own_packages_behind_theirs(theirs, command):
    """As the console script does it: theirs come before the installed ones on the path."""
    program = SCRIPT.format(checkout=str(CHECKOUT))
    environ = {**os.environ, "PYTHONPATH": f"{theirs}{os.pathsep}{CHECKOUT}"}
    arguments = [*command.split(), *([str(CHECKOUT / "configs" / "digits.yaml")] if command == "config check" else [])]
    answer = subprocess.run([sys.executable, "-c", program, *arguments], cwd=theirs, env=environ, capture_output=True, text=True)
    assert "SHADOW" not in answer.stdout
    assert "Traceback" not in answer.stderr
    assert answer.returncode == 0 or command == "doctor", answer.stderr


def test_a_kubeflow_step_finds_its_own_packages_behind_theirs(theirs):
    (theirs / "pipeline" / "__init__.py").unlink()
    (theirs / "pipeline").rmdir()
    environ = {**os.environ, "PYTHONPATH": f"{theirs}{os.pathsep}{CHECKOUT}"}
    program = "import pipeline.kubeflow.step, trainer.errors, components.verdict, serving.client; print(trainer.__file__)"
    answer = subprocess.run([sys.executable, "-c", program], env=environ, cwd=theirs, capture_output=True, text=True)
    assert answer.stdout == f"{CHECKOUT / 'trainer' / '__init__.py'}\n", answer.stderr


def test_what_else_is_on_the_path_stays_as_it_is(theirs):
    (theirs / "yaml.py").write_text("")
    program = "import sys; before = sorted(sys.path); import tapeline; assert sorted(sys.path) == before"
    environ = {**os.environ, "PYTHONPATH": f"{theirs}{os.pathsep}{CHECKOUT}"}
    answer = subprocess.run([sys.executable, "-c", program], env=environ, cwd=theirs, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
