"""A line on the terminal, at once: what the commands of this package say."""

import json
import re
import sys
from typing import TextIO

# What is no sign to be seen: control characters (a terminal obeys some of them), line ends, those that turn the direction of writing
# round or have no width, and halves of characters, which file names that are no text become.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e007f]")


def say(line: str, stream: TextIO | None = None) -> None:
    """Writes one line to `stream` (stdout by default) and flushes it.

    Names, paths and error texts may come from others: what they hold that could end the line or command the terminal is written as JSON
    escapes it, so that a line of JSON stays the same JSON.
    """
    target = sys.stdout if stream is None else stream
    target.write(_UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], line) + "\n")
    target.flush()
