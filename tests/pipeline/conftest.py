"""A config and a workspace to try things on."""

import os
import tempfile

import pytest

from pipeline import config
from pipeline.workspace import Workspace


@pytest.fixture
def settings():
    """settings(**sections): a checked config of the bundled digits."""

    def make(**sections):
        return config.check({"name": "digits", "data": {"format": "digits"}, **sections}, "test")

    return make


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A workspace; TMPDIR is put back after the test."""
    monkeypatch.setenv("TMPDIR", os.environ["TMPDIR"])
    monkeypatch.setattr(tempfile, "tempdir", tempfile.gettempdir())
    return Workspace(tmp_path / "root")
