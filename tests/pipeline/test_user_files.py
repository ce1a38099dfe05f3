"""A config that names the user's own files has their text, and refuses in one line what could not run."""

import json
import subprocess
import sys

import pytest
import yaml

from pipeline import config
from tests.pipeline.test_config import refusal

STEP = "def step(model, x, y, seed):\n    return helpers.three()\n"
TAPED = "name: mine\ndata: {format: digits}\ntrainer: {loop: gradient_tape, step: 'my_steps.py:step'}\n"


@pytest.fixture
def folder(tmp_path):
    """folder(**files): a folder with `mine.yaml` and these Python files; gives the config's path."""

    def write(text=TAPED, **files):
        (tmp_path / "mine.yaml").write_text(text)
        for name, source in files.items():
            (tmp_path / f"{name}.py").write_text(source)
        return tmp_path / "mine.yaml"

    return write


def test_the_text_of_a_file_is_carried_with_those_beside_it_that_it_imports_one_through_another(folder):
    path = folder(
        my_steps="import helpers\nimport json, keras\n" + STEP,
        helpers="def three():\n    from numbers_of import one\n    return one\n",
        numbers_of="import helpers\none = 1\n",
        not_imported="",
    )
    trainer = config.load(path).trainer
    assert set(trainer.code) == {"my_steps.py", "helpers.py", "numbers_of.py"}
    assert trainer.code["my_steps.py"] == (path.parent / "my_steps.py").read_text()
    assert trainer.step.function == "my_steps.py:step"
    assert type(trainer).from_json(trainer.to_json()) == trainer


def test_every_place_that_may_name_code_is_read(folder):
    trainer = "{model: 'a.py:build', loss: 'lib/b.py:Loss', metrics: [accuracy, 'lib/../c.py:metric']}"
    text = f"name: mine\ndata: {{format: digits}}\ntrainer: {trainer}\n"
    path = folder(text, a="def build(): ...", c="metric = len")
    (path.parent / "lib").mkdir()
    (path.parent / "lib" / "b.py").write_text("class Loss: ...\n")
    trainer = config.load(path).trainer
    assert sorted(trainer.code) == ["a.py", "c.py", "lib/b.py"]
    assert (trainer.model, trainer.loss, trainer.metrics) == ("a.py:build", "lib/b.py:Loss", ["accuracy", "c.py:metric"])


def test_an_edit_is_another_setting_and_another_folder_is_none(folder, tmp_path):
    path = folder(my_steps=STEP)
    first = config.load(path).trainer.to_json()
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.yaml").write_text(TAPED)
    (other / "my_steps.py").write_text(STEP)
    assert config.load(other / "mine.yaml").trainer.to_json() == first
    (other / "my_steps.py").write_text(STEP + "# edited\n")
    assert config.load(other / "mine.yaml").trainer.to_json() != first


def test_an_override_is_relative_to_the_working_folder(folder, tmp_path, monkeypatch):
    path = folder("name: mine\ndata: {format: digits}\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "my_steps.py").write_text(STEP)
    monkeypatch.chdir(tmp_path / "elsewhere")
    trainer = config.load(path, ["trainer.loop=gradient_tape", "trainer.step=my_steps.py:step"]).trainer
    assert trainer.code == {"elsewhere/my_steps.py": STEP}
    assert trainer.step.function == "elsewhere/my_steps.py:step"


def test_a_config_without_own_code_says_nothing_of_it(folder):
    settings = config.load(folder("name: mine\ndata: {format: digits}\n"))
    assert "code" not in json.loads(settings.trainer.to_json())


def test_what_is_shown_is_read_back_and_has_no_text_of_code_in_it(folder):
    path = folder(my_steps=STEP)
    shown = config.to_yaml(config.load(path))
    assert "code" not in yaml.safe_load(shown)["trainer"]
    (path.parent / "shown.yaml").write_text(shown)
    assert config.load(path.parent / "shown.yaml") == config.load(path)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "def stp(model): ...",
            "trainer.step: Expected 'step' to be defined at the top level of my_steps.py. Received: stp. Did you mean 'stp'?",
        ),
        ("", "trainer.step: Expected 'step' to be defined at the top level of my_steps.py. Received: no names."),
        ("class A:\n  def step(self): ...", "Received: A."),
        ("def step(:\n", "trainer.step: Expected Python. Received: my_steps.py:1: invalid syntax."),
        ("x = 1\n  y = 2\n", "trainer.step: Expected Python. Received: my_steps.py:2: unexpected indent."),
        ("x = '\0'", "trainer.step: Expected Python. Received: my_steps.py: source code string cannot contain null bytes."),
        ("from . import helpers\nstep = 1", "Received: my_steps.py:1, with a dot. Leave the dot out."),
        ("import package\nstep = 1", "Received: my_steps.py:1, the package 'package' beside it. Put its code into files, or install it."),
        ("import bad\nstep = 1", "trainer.step: Expected Python. Received: bad.py:2: '(' was never closed."),
        ("step = '" + "x" * 200_000 + "'", "trainer.code: Expected at most 200,000 characters of code. Received: 200,009 in my_steps.py."),
    ],
    ids=["near", "empty", "inner", "syntax", "indent", "null", "dot", "package", "imported", "large"],
)
def test_code_that_could_not_run_is_refused_in_one_line(folder, source, said):
    path = folder(my_steps=source, bad="\nx = (1\n")
    (path.parent / "package").mkdir()
    (path.parent / "package" / "__init__.py").write_text("")
    message = refusal(path)
    assert said in message and "\n" not in message


def test_a_file_that_is_not_there_is_told_with_the_nearest(folder):
    path = folder(my_step=STEP)
    assert refusal(path) == (
        "trainer.step: Expected a Python file, its path relative to the config's folder. Received: 'my_steps.py', which does not exist in "
        f"{path.parent}. Did you mean 'my_step.py'? `tapeline new` writes one."
    )


@pytest.mark.parametrize(
    "source",
    [
        "step = lambda *_: 0",
        "if True:\n  def step(): ...",
        "try:\n  import a as step\nexcept ImportError:\n  step = 0",
        "from json import *",
    ],
)
def test_a_name_may_be_defined_in_any_way_at_the_top(folder, source):
    assert config.load(folder(my_steps=source)).trainer.code == {"my_steps.py": source}


@pytest.mark.parametrize(
    ("trainer", "said"),
    [
        ("{model: my_model.py}", 'trainer.model: Expected a file and a name in it, FILE.py:NAME. Received: "my_model.py".'),
        ("{step: my_steps.py}", 'trainer.step: Expected a file and a name in it, FILE.py:NAME. Received: "my_steps.py".'),
        ("{model: tabluar}", "Did you mean 'tabular'?"),
        ("{metrics: [accurcy]}", "Did you mean 'accuracy'?"),
        ("{step: 'my_steps.py:step'}", "Received: 'my_steps.py:step'. Set `trainer.loop: gradient_tape`."),
        (
            "{code: {a.py: ''}}",
            "trainer.code: Expected none, for it is read from the files that `trainer` names. Received: one. Remove it.",
        ),
        ("{loss: 'my_steps.py:step', label_smoothing: 0.1}", "which cannot smooth labels"),
    ],
)
def test_a_wrong_reference_is_one_line(folder, trainer, said):
    message = refusal(folder(f"name: mine\ndata: {{format: digits}}\ntrainer: {trainer}\n", my_steps=STEP))
    assert said in message and "\n" not in message


def test_neither_tensorflow_nor_the_users_code_is_imported_to_read_a_config(folder):
    path = folder(my_steps="raise SystemExit('executed')\ndef step(): ...\n")
    code = f"import sys; from pipeline import config; config.load({str(path)!r}); sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).returncode == 0
