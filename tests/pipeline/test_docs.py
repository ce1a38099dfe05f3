"""The documents say what there is: every setting, every command."""

import argparse
import runpy
from pathlib import Path

import pytest

from pipeline import cli, config

CHECKOUT = Path(__file__).resolve().parents[2]


def test_the_reference_of_settings_is_what_the_fields_say():
    page = runpy.run_path(str(CHECKOUT / "scripts" / "settings_page.py"))["page"]
    made = page(config.json_schema())
    assert (CHECKOUT / "docs" / "settings.md").read_text(encoding="utf-8") == made, "run `make docs`"
    assert [path for path in config.field_paths() if f"| `{path}` |" not in made] == []


@pytest.mark.parametrize("name", ["README.md", "README.ja.md"])
def test_the_readme_names_every_command(name):
    text = (CHECKOUT / name).read_text(encoding="utf-8")
    assert [command for command in commands(cli._parser()) if f"tapeline {command}" not in text] == []


def commands(parser, prefix=""):
    """`run`, `config check`, ...: every command that takes no further command."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        return [prefix.strip()]
    return [command for name, sub in groups[0].choices.items() for command in commands(sub, f"{prefix} {name}")]


def test_the_commands_are_those_that_the_tests_above_look_for():
    expected = ["run", "compile"]
    expected += [f"kubeflow {command}" for command in ("emulate", "submit", "schedule", "status", "logs", "terminate")]
    expected += [f"release {command}" for command in ("status", "promote", "rollback")]
    expected += ["serve", "predict", "loadtest", "config check", "config show", "config schema", "schema accept", "doctor"]
    assert commands(cli._parser()) == expected
