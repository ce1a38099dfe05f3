"""What the script `tapeline` starts: `pipeline.cli` of this project, whatever package `pipeline` lies on PYTHONPATH."""

import os
import sys

sys.path.insert(0, os.path.dirname(__file__))  # noqa: PTH120 - before pathlib, like all that starts a command
import pipeline  # noqa: F401 - found here, it finds its siblings

del sys.path[0]

from pipeline.cli import console  # noqa: E402 - after the path is as it was

__all__ = ["console"]
