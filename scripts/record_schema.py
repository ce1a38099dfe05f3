"""Writes docs/record.schema.json, the JSON Schema of a run's record. `make docs` runs it, and a test compares the file with it."""

import json
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
FILE = CHECKOUT / "docs" / "record.schema.json"


def text() -> str:
    """What the file holds."""
    from pipeline.runs import record

    return json.dumps(record.json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    sys.path.insert(0, str(CHECKOUT))
    FILE.write_text(text(), encoding="utf-8")
