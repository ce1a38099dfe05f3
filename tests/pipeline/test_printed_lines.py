"""What is printed can be read, and what is printed to be typed can be typed: whatever signs are in a path, in a real shell."""

import io
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from rich.console import Console

from pipeline import cli, plain
from pipeline.kubeflow import command as kubeflow
from pipeline.release.config_file import ConfigFile
from pipeline.release.steps import _command as release_command
from pipeline.runs.summary import Summary, print_summary

ODD = "a b/[old]/it's $HOME;`x`&"


@pytest.fixture
def typed(tmp_path, monkeypatch):
    """typed(line): the arguments that `tapeline` gets when a shell runs the line."""
    program = tmp_path / "bin" / "tapeline"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    def run(line):
        return json.loads(subprocess.run(line, shell=True, capture_output=True, text=True, check=True).stdout)  # noqa: S602 - what is tested

    return run


def printed(summary):
    console = Console(width=80, file=io.StringIO(), color_system=None)
    print_summary(console, summary, "digits")
    return console.file.getvalue().splitlines()


def test_the_next_line_of_a_run_is_what_a_shell_gives_to_serve_whatever_the_path(typed):
    lines = printed(Summary("pushed", "17", f"/{ODD}/serving/digits/17"))
    [pushed] = [line for line in lines if line.startswith("Pushed ")]
    assert pushed.endswith(f": /{ODD}/serving/digits/17")
    [following] = [line.removeprefix("Next:") for line in lines if line.startswith("Next:")]
    assert typed(following) == ["serve", "--model_name", "digits", "--model_base_path", f"/{ODD}/serving/digits"]
    [then] = [line.removeprefix("Then:") for line in lines if line.startswith("Then:")]
    assert typed(then) == ["predict", "IMAGE.png", "--model_name", "digits"]


def test_the_log_and_the_reason_of_a_failed_run_are_shown_with_their_brackets():
    lines = printed(Summary("failed", reasons=[f"Trainer: [red] in [/] {ODD}"], log=f"/{ODD}/logs/1.log"))
    assert f"Failed: Trainer: [red] in [/] {ODD}" in lines
    assert f"Log:    /{ODD}/logs/1.log" in lines


def test_what_compile_prints_emulates_the_package(typed, tmp_path, monkeypatch, capsys):
    (tmp_path / "use.yaml").write_text("name: digits\ndata: {format: digits}\n")
    package = tmp_path / ODD / "p.yaml"
    written = SimpleNamespace(write_package=lambda settings, output: None)
    monkeypatch.setitem(sys.modules, "pipeline.kubeflow.compile", written)
    monkeypatch.setattr("pipeline.kubeflow.compile", written, raising=False)
    assert cli.main(["compile", str(tmp_path / "use.yaml"), "-o", str(package)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"Wrote {package}. Run it here: ")
    assert typed(said.partition("Run it here: ")[2]) == ["kubeflow", "emulate", str(package)]


def test_what_a_release_prints_finds_the_same_config(typed, tmp_path):
    file = tmp_path / ODD / "models.config"
    file.parent.mkdir(parents=True)
    file.touch()
    assert typed(release_command("status", ConfigFile(file))) == ["release", "status", "--model_config_file", str(file)]


def test_a_program_that_is_on_no_path_is_called_by_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["/my env/bin/tapeline"])
    assert plain.command("run", "a b") == "'/my env/bin/tapeline' run 'a b'"


def test_notes_keep_their_brackets(capsys):
    kubeflow._notes(["pipeline_root is /a/[old]/b here"])
    assert capsys.readouterr().err == "Note: pipeline_root is /a/[old]/b here\n"
