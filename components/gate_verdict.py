"""What the gate says of a model: metrics, bounds, reasons, notes; one JSON file beside the blessing, which whoever shows a run reads.

It is of a bounded size, whatever the number of classes: on Kubeflow Pipelines the step's log and the blessing's metadata hold it too.
"""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any, Self

from components.bound import Bound

VERDICT_FILE = "verdict.json"
MOST_BOUNDS = 100  # rows of the gate's table
_MOST_REASONS = 20


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The gate's words.

    Attributes:
      metrics: as `components.verdict.metrics` gives them.
      bounds: the gate's rows, those that were missed among them.
      reasons: why the model was refused, a line each; empty where it was blessed.
      notes: what else a person should know, a line each.
    """

    metrics: dict[str, Any]
    bounds: list[Bound]
    reasons: list[str]
    notes: list[str]

    @classmethod
    def of(cls, metrics: dict[str, Any], bounds: list[Bound], notes: list[str]) -> Self:
        """The verdict from every bound: of more than MOST_BOUNDS the missed ones come first, the rest is counted in a note."""
        missed = [bound.reason for bound in bounds if not bound.passed]
        reasons = missed[:_MOST_REASONS]
        if missed[_MOST_REASONS:]:
            reasons.append(f"and {len(missed) - _MOST_REASONS:,} more of {len(bounds):,} bounds were missed")
        if len(bounds) > MOST_BOUNDS:
            bounds = sorted(bounds, key=lambda bound: bound.passed)  # stable: else in their order
            notes = [*notes, f"the gate has {len(bounds):,} bounds, of which {len(missed):,} were missed; {MOST_BOUNDS} of them are shown"]
        return cls(metrics, bounds[:MOST_BOUNDS], reasons, notes)

    def to_json(self) -> str:
        """The verdict as text."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote."""
        return cls.from_values(json.loads(text))

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> Self:
        """The verdict from plain values; a step of an older package says neither reasons nor notes."""
        bounds = [Bound(**bound) for bound in values["bounds"]]
        reasons = values.get("reasons", [bound.reason for bound in bounds if not bound.passed])
        return cls(values["metrics"], bounds, reasons, values.get("notes", []))


def write_verdict(blessing: str, verdict: Verdict) -> None:
    """Keeps the verdict in the blessing's folder, which may be a bucket's."""
    from tfx.utils import io_utils  # takes seconds, and whoever only reads needs none of it

    io_utils.write_string_file(os.path.join(blessing, VERDICT_FILE), verdict.to_json())


def read_verdict(blessing: str) -> Verdict:
    """The verdict in the blessing's folder, which is on this machine. Raises FileNotFoundError."""
    return Verdict.from_json(Path(blessing, VERDICT_FILE).read_text(encoding="utf-8"))
