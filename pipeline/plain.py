"""What people read on the terminal, word for word: lines whose brackets are no markup, and commands that a shell runs as they stand."""

import shlex
import shutil
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text


def print_line(console: Console, text: str, title: str = "", style: str = "") -> None:
    """Prints `title` in `style`, and `text` behind it as it is: on one line however long, since paths and commands are copied."""
    console.print(Text.assemble((title, style), text), soft_wrap=True)


def command(*words: object) -> str:
    """The command line that calls this program with `words`, quoted for a shell."""
    return shlex.join([_program(), *map(str, words)])


def _program() -> str:
    """What to type to call this program again: its name where a shell finds it, else its path (`make run` without an activated .venv)."""
    here = Path(sys.argv[0])
    if shutil.which("tapeline") or here.name != "tapeline":
        return "tapeline"
    try:
        return str(here.relative_to(Path.cwd()))
    except (OSError, ValueError):  # the working folder has been removed, or is another one
        return str(here)
