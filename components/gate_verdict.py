"""What the gate says of a model, as it crosses from the step that measured it to whoever shows it: metrics, bounds, reasons, notes.

It is of a bounded size, whatever the number of classes: the log, the metadata and `--json` all hold it.
"""

import dataclasses
import json
from typing import Any, Self

from components.bound import Bound

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
