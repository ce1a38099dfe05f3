"""The one line that says why a run failed, out of exceptions that TFX, Beam, TensorFlow and Keras have wrapped.

exception -> its origin -> its message without tracebacks, graph nodes and source lines -> `KeyError: 'x'`
"""

import re

from trainer import full_disk
from trainer.errors import TapelineError

_LONGEST = 500  # characters; a message may carry a dump of arrays
_EXCEPTION = re.compile(r"^[\w.]*(Error|Exception)\b.*: ")
_TRACEBACK = "Traceback (most recent call last):"
_DIRECT_CAUSE = "The above exception was the direct cause of the following exception:"
# What TensorFlow and Keras write above the message itself.
_ABOVE = re.compile(
    r"Graph execution error:|Detected at node|Detected unsupported operation|<stack traces unavailable>|Node: '|\d+ root error\(s\) found"
    r"|Exception encountered when calling"
)
# What they write around it: terminal colours; the function, the data set or the number in front; operation and node behind.
_DATA_SET = r"Error in user-defined function passed to \S+ transformation with iterator: \S+: "
_AROUND = re.compile(
    f"^{_DATA_SET}" r"|\x1b\[\d*m|^\{\{function_node [^}]*\}\} *|^\(\d+\) +|\s*\[Op:[^\]]*\](?: name:)?.*$|\s*\[\[\{\{node .*$"
)


def one_line(error: BaseException, place: str = "") -> str:
    """What began `error`: `ValueError: what it says`; an error of the project's own says everything itself.

    Args:
      error: what was raised.
      place: the folder or file that was written to, if the caller knows one; named where its disk is full.
    """
    first = origin(error)
    if isinstance(first, TapelineError):
        return str(first)
    if full := full_disk.line(str(first), place):
        return full
    line = _line(_message(first))
    named = _EXCEPTION.match(line)  # a traceback's last line, and TensorFlow's of a Python function, have the type already
    return _shortened(line if named else f"{type(first).__name__}: {line}")


def origin(error: BaseException) -> BaseException:
    """The exception that `error` was raised from, and so on back; the last of the project's own, where there is one."""
    seen = {id(error)}
    while (before := _before(error)) and id(before) not in seen:
        error = before
        seen.add(id(error))
    return error


def _before(error: BaseException) -> BaseException | None:
    if _says_its_context_again(error):
        return error.__context__
    return None if isinstance(error, TapelineError) else error.__cause__


def _message(error: BaseException) -> str:
    """What it says; a KeyError says its key quoted, unless somebody has put a whole text in the key's place."""
    if isinstance(error, KeyError) and error.args and "\n" in str(error.args[0]):
        return str(error.args[0])
    return str(error)


def _says_its_context_again(error: BaseException) -> bool:
    """Whether it is its context with more text: Beam adds the step, AutoGraph the user's line. Other contexts were dealt with."""
    text = str(error)
    return "[while running '" in text or text.startswith("in user code:")


def _line(text: str) -> str:
    """The line of a message that has the cause in it, with the next one where it ends in a colon."""
    lines = _of_traceback(text) if _TRACEBACK in text.partition("\n")[0] or text.startswith("in user code:") else _of_message(text)
    line = ""
    for part in lines:
        line = f"{line} {part}".strip()
        if not line.endswith(":"):
            break
    return line or "no message"


def _of_traceback(text: str) -> list[str]:
    """Of a chain of tracebacks as text the last line of the one that began it."""
    lines = [line.strip() for line in text.partition(_DIRECT_CAUSE)[0].splitlines() if line.strip()]
    found = [index for index, line in enumerate(lines) if _EXCEPTION.match(line)]
    return lines[found[-1] :] if found else lines[-1:]


def _of_message(text: str) -> list[str]:
    """The lines from the message's own first one on."""
    raw = text.splitlines()
    start = next((index for index, line in enumerate(raw) if line.strip() and not _ABOVE.match(line.strip()) and not _is_code(line)), 0)
    lines = [_AROUND.sub("", _AROUND.sub("", line).strip()).strip() for line in raw[start:]]
    return [line for line in lines if line]


def _is_code(line: str) -> bool:
    """Whether it is a frame, or a line of source below one; both are indented, a numbered root error is not code."""
    return line.startswith((" ", "\t")) and not re.match(r"\s*\(\d+\) ", line)


def _shortened(line: str) -> str:
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."
