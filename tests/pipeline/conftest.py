"""A config and a workspace to try things on."""

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
def workspace(tmp_path):
    """A workspace that is not there yet."""
    return Workspace(tmp_path / "root")
