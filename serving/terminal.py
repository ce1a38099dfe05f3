"""The terminal, whatever it can take: another encoding than UTF-8, a full disk or nobody behind it. Nothing fails by printing.

`settle_terminal`, once, first in a process -> everything prints as ever -> `lost_output` says what did not arrive
"""

import codecs
import io
import json
import os
import re
import sys
from typing import TextIO

# What is no sign to be seen: control characters (a terminal obeys some of them), line ends, those that turn the direction of writing
# round or have no width, and halves of characters, which file names that are no text become.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e007f]")

_PLAIN = {"✓": "v", "✗": "x", "·": ".", "≥": ">=", "→": "->", "×": "x", "█": "#", "…": "...", "–": "-"}
_ERRORS = "tapeline.plain"


def _plain(error: UnicodeError) -> tuple[str, int]:
    """An encoding's error handler: our own signs in ASCII, and everything else as Python escapes it, so that nothing is lost."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(_PLAIN.get(sign) or sign.encode("ascii", "backslashreplace").decode("ascii") for sign in signs), error.end


codecs.register_error(_ERRORS, _plain)


class _Output(io.FileIO):
    """A descriptor that takes everything: what cannot be written is lost, and the first reason is kept."""

    lost: OSError | None = None

    def write(self, data: bytes) -> int:  # type: ignore[override]  # a buffer, as the base class takes
        try:
            return super().write(data)
        except OSError as error:
            self.lost = self.lost or error
            return memoryview(data).nbytes

    def close(self) -> None:
        """As of a file; a network file system says only now that its disk is full."""
        try:
            super().close()
        except OSError as error:
            self.lost = self.lost or error


def lenient(descriptor: int, encoding: str, *, closefd: bool = True) -> TextIO:
    """A text stream to `descriptor` that writes what it can, line by line, and never raises."""
    raw = _Output(descriptor, "w", closefd=closefd)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, _ERRORS, line_buffering=True)


def settle_terminal() -> None:
    """Makes `sys.stdout` and `sys.stderr` lenient. A descriptor that is closed leads nowhere from then on.

    Were it left closed, the next file that is opened, a database for instance, would get its number and what is printed.
    """
    for descriptor, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest number that is free: this one
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is getattr(sys, f"__{name}__"):  # else somebody has taken its place already
            setattr(sys, name, lenient(descriptor, getattr(stream, "encoding", "utf-8"), closefd=False))


def lost_output() -> OSError | None:
    """Why something that was printed on stdout did not arrive; None where all did, or nobody cares, as after `| head`."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    error = raw.lost if isinstance(raw, _Output) else None
    return None if isinstance(error, BrokenPipeError) else error


def say(line: str, stream: TextIO | None = None) -> None:
    """Writes one line to `stream` (stdout by default) and flushes it.

    Names, paths and error texts may come from others: what they hold that could end the line or command the terminal is written as JSON
    escapes it, so that a line of JSON stays the same JSON.
    """
    target = sys.stdout if stream is None else stream
    target.write(_UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], line) + "\n")
    target.flush()
