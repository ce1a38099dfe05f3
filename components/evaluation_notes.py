"""What the Evaluator has to say beside its numbers: lines for a person, in a file beside the metrics."""

import json
import os

from tfx.dsl.io import fileio
from tfx.utils import io_utils

_FILE = "notes.json"


def write_notes(evaluation: str, notes: list[str]) -> None:
    """Keeps the lines in the evaluation's folder."""
    io_utils.write_string_file(os.path.join(evaluation, _FILE), json.dumps(notes))


def read_notes(evaluation: str) -> list[str]:
    """The lines; none where the evaluation has none."""
    path = os.path.join(evaluation, _FILE)
    return json.loads(io_utils.read_string_file(path)) if fileio.exists(path) else []
