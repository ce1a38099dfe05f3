"""Which data the last run was about, and where its rows and statistics are."""

import json
from typing import NamedTuple

from pipeline import steps
from pipeline.workspace import Workspace
from trainer import json_text
from trainer.errors import ConfigError


class LastData(NamedTuple):
    """What the newest record says of a run that got as far as its statistics.

    Attributes:
      fingerprint: digest of the raw data.
      examples: the folder of its rows, with one for each split.
      statistics: the folder of their statistics.
    """

    fingerprint: str
    examples: str
    statistics: str


def of(workspace: Workspace) -> LastData | None:
    """None where no run got that far."""
    for file in sorted(workspace.records.glob("*.json"), reverse=True):
        try:
            record = json_text.loads(file.read_text(encoding="utf-8"))
            places = [record["artifacts"][steps.INGESTION.id]["examples"], record["artifacts"][steps.STATISTICS.id]["statistics"]]
            return LastData(record["data"]["fingerprint"], *(workspace.place(place) for place in places))
        except (OSError, ValueError, KeyError, TypeError, json.JSONDecodeError):  # a run that ended before, or a broken record
            continue
    return None


def needed(data: LastData | None, workspace: Workspace) -> LastData:
    """`data`. Raises ConfigError where there is none."""
    if data is None:
        raise ConfigError(
            f"Expected a run whose data was described in '{workspace.root}'. Received: none. Run `tapeline run` first, or name its --root."
        )
    return data
