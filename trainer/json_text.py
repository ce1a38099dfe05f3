"""JSON that somebody else may have written: whatever is none is a ValueError, one that is nested too deeply included."""

import json
from typing import Any


def loads(text: str | bytes) -> Any:
    """`json.loads`. Raises ValueError, also where Python's own ends by a RecursionError."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
