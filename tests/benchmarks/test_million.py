"""AutoGluon's side is left out with its reason where its environment is not there."""

import sys

import pytest

from benchmarks.million import why_left_out


@pytest.mark.parametrize(
    ("python", "expected"),
    [
        (None, "no environment is named (`--autogluon PYTHON`)"),
        ("/nowhere/python", "'/nowhere/python' cannot be run, No such file or directory"),
        (sys.executable, f"'{sys.executable}' cannot import it, ModuleNotFoundError: No module named 'autogluon'"),
    ],
)
def test_it_is_told_why_autogluon_is_left_out(python, expected):
    assert why_left_out(python) == expected
