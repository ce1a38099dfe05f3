"""Tapeline's commands. Its sibling packages are this project's, whichever of the same names lie on PYTHONPATH or in the working folder."""

import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Sequence
from types import ModuleType

_PROJECT = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120 - imported at every start, before pathlib
_OWN = ("components", "serving", "trainer")


class _Siblings(importlib.abc.MetaPathFinder):
    """Finds the packages beside this one; their names are common ones (docs/adr/0003)."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """See the base class."""
        return importlib.machinery.PathFinder.find_spec(fullname, [_PROJECT]) if path is None and fullname in _OWN else None


sys.meta_path.insert(0, _Siblings())
