"""YAML from outside: aliases that would fill the memory, and what is no YAML."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import config, yaml_text
from pipeline.kubeflow import load_package
from pipeline.kubeflow.package import Package, PackageError
from pipeline.kubeflow.run_parameters import typed
from trainer.errors import ConfigError

CHECKOUT = Path(__file__).resolve().parents[2]
# Nine values that are each nine times the one before: half a kilobyte, and 9^9 values once it is written out.
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 10)
)
REFUSED = (
    "Expected at most 1,000,000 values and characters once its aliases (`*name`) are written out. Received: more. "
    "Write out what is meant, without aliases."
)


@pytest.mark.parametrize("text", [BOMB, "a: &a {b: *a}\n", "a: &a [1, *a]\n", f"a: &a '{'x' * 2000}'\nb: [{'*a, ' * 1000}]\n"])
def test_aliases_that_would_fill_the_memory_are_refused_before_they_do(tmp_path, text):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        config.load(file)
    assert str(refused.value) == f"{file}: {REFUSED}"
    with pytest.raises(PackageError) as refused:
        load_package.parse(text)
    assert str(refused.value).endswith(REFUSED)


def test_they_are_refused_on_a_command_line_too():
    bomb = f"{{{BOMB.strip().replace(chr(10), ', ')}}}"
    assert typed(
        Package({"root": {"inputDefinitions": {"parameters": {"config": {"parameterType": "STRUCT"}}}}}, {}, []), {"config": bomb}
    ) == {"config": bomb}, "what is not read stays a text, which is no STRUCT"
    with pytest.raises(ConfigError, match="once its aliases"):
        config.load(CHECKOUT / "configs" / "digits.yaml", [f"trainer.metrics={bomb}"])


def test_a_process_of_little_memory_refuses_them(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(BOMB)
    # By a shell: in a process that was forked to set the limit, gRPC's threads of the tests before this one write to its stderr.
    limited = ["sh", "-c", f'ulimit -v {1 << 20}; exec "$@"', "sh"]  # KiB
    command = [*limited, sys.executable, "-m", "pipeline.cli", "config", "check", str(file)]
    answer = subprocess.run(command, cwd=CHECKOUT, env={**os.environ, "MALLOC_ARENA_MAX": "1"}, capture_output=True, text=True)
    assert (answer.returncode, answer.stderr) == (2, f"{file}: {REFUSED}\n")


def test_a_few_aliases_are_fine():
    assert yaml_text.from_yaml("a: &a [1, 2]\nb: *a\nc: {d: *a}\n", "text") == {"a": [1, 2], "b": [1, 2], "c": {"d": [1, 2]}}


def test_a_large_text_without_aliases_is_fine():
    assert len(yaml_text.from_yaml("\n".join(["- " + "x" * 60_000] * 40), "text")) == 40


def test_documents_come_one_by_one_and_one_is_asked_for():
    assert list(yaml_text.documents("a: 1\n---\nb: 1e-3\n", "text")) == [{"a": 1}, {"b": 0.001}]
    with pytest.raises(yaml_text.NotYaml, match=r"^expected one document, received several"):
        yaml_text.from_yaml("a: 1\n---\nb: 2\n", "text")
    assert yaml_text.from_yaml("", "text") is None
