"""The note beside a model's versions that says which one is stable: `tapeline release` writes it, the gate of the next run reads it.

BASE_PATH/NAME/released.json: {"stable": 7}; TensorFlow Serving, which takes only numbers for versions, passes it over.
"""

import json

from trainer import json_text

FILE = "released.json"


def text(stable: int) -> str:
    """What the file holds when that version is stable."""
    return json.dumps({"stable": stable}) + "\n"


def stable(content: str | bytes) -> int | None:
    """The version that the file's content names; None where a release has not written it."""
    try:
        version = json_text.loads(content)["stable"]
    except (ValueError, KeyError, TypeError):
        return None
    return version if type(version) is int else None
