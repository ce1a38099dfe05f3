"""What the data gate says of data that it lets pass: anomalies that warn, and shifts; one JSON file in its output, which the runs read."""

import dataclasses
import json
from pathlib import Path
from typing import NamedTuple, Self

from components.anomaly import Anomaly, Shift

FOUND_FILE = "found.json"


class Found(NamedTuple):
    """What is wrong with the data, and how far it has shifted at all."""

    anomalies: list[Anomaly]
    shifts: list[Shift]

    def to_json(self) -> str:
        """What `from_json` reads."""
        return json.dumps(
            {name: [dataclasses.asdict(each) for each in values] for name, values in self._asdict().items()}, ensure_ascii=False
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote."""
        values = json.loads(text)
        return cls([Anomaly(**each) for each in values["anomalies"]], [Shift(**each) for each in values["shifts"]])


def read_found(folder: str) -> Found:
    """What the gate that wrote there, on this machine, has let pass. Raises FileNotFoundError."""
    return Found.from_json(Path(folder, FOUND_FILE).read_text(encoding="utf-8"))
