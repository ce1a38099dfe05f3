"""A path as a config file has it: relative to the folder that the file is in."""

import os
from pathlib import Path


def relative(path: str, config: Path) -> str:
    """`path`, of the working folder, as the file `config` says it."""
    return os.path.relpath(path, config.parent)
