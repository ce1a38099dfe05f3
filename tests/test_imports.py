"""Which way imports point, and what answers without TensorFlow."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
HEAVY = {"tensorflow", "tfx", "apache_beam", "keras", "tensorflow_transform", "sklearn"}


def test_every_import_points_the_way_the_contracts_say():
    answer = _lint_imports(CHECKOUT)
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("trainer/features.py", "import components.example_gen", "pipeline > components > trainer"),
        ("components/example_gen/__init__.py", "import pipeline.tfx_platform", "pipeline > components > trainer"),
        ("pipeline/tfx_platform.py", "import pipeline.runs", "inside pipeline"),
        ("pipeline/runs/summary.py", "import pipeline.kubeflow.package", "inside pipeline"),
        ("pipeline/kubeflow/emulate.py", "import pipeline.runs.store", "kubeflow takes from runs only how a run is shown"),
        ("trainer/features.py", "import trainer.models", "inside trainer"),
        ("trainer/fit.py", "import trainer.gradient_tape", "inside trainer"),
        ("trainer/new_idea.py", "", "inside trainer"),
        ("pipeline/tfx_platform.py", "import serving.server", "no other folder imports serving.server"),
        ("pipeline/cli.py", "import serving.server.serve", "no other folder imports serving.server"),
        ("serving/__init__.py", "import trainer.errors", "serving imports none of the others"),
    ],
)
def test_the_contracts_refuse_an_import_that_points_the_other_way_and_a_module_without_a_place(tmp_path, module, line, contract):
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    for folder in ("components", "pipeline", "serving", "trainer"):
        shutil.copytree(CHECKOUT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / module).open("a") as file:
        file.write(f"\n{line}\n")
    broken = re.findall(r"^(.*) BROKEN\b", _lint_imports(tmp_path).stdout, re.MULTILINE)
    assert any(name.startswith(contract) for name in broken), broken


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["config", "schema"]], ids=" ".join)
def test_help_and_the_schema_answer_without_importing_tensorflow(arguments):
    status, imported = _imported_by(arguments)
    assert status == 0
    assert imported == []


def test_a_configuration_error_answers_without_importing_tensorflow(tmp_path):
    config = tmp_path / "bad.yaml"
    config.write_text("trainer:\n  lop: fit\n")
    status, imported = _imported_by(["run", str(config)])
    assert status == 2
    assert imported == []


def _lint_imports(folder: Path) -> subprocess.CompletedProcess:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def _imported_by(arguments: list[str]) -> tuple[int, list[str]]:
    """The exit status of `tapeline ARGUMENTS`, and which of the heavy packages it imported."""
    code = f"""if True:
        import json, sys
        from pipeline.cli import main
        try:
            status = main({arguments!r})
        except SystemExit as end:
            status = end.code
        print()
        print(json.dumps([status, sorted({HEAVY!r} & sys.modules.keys())]))
    """
    answer = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True)
    assert answer.stdout, answer.stderr
    status, imported = json.loads(answer.stdout.splitlines()[-1])
    return status or 0, imported
