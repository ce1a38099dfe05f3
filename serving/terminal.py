"""A line on the terminal, at once: what the commands of this package say."""

import sys
from typing import TextIO


def say(line: str, stream: TextIO | None = None) -> None:
    """Writes one line to `stream` (stdout by default) and flushes it."""
    target = sys.stdout if stream is None else stream
    target.write(line + "\n")
    target.flush()
