"""One thing that is wrong with the data, as a person reads it and as the run's record keeps it."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

Severity = Literal["stop", "warn"]

# What can be wrong, and whether it stops the run where the config says nothing.
KINDS: dict[str, Severity] = {
    "new_value": "stop",
    "out_of_range": "stop",
    "not_finite": "stop",
    "missing_column": "stop",
    "missing_values": "stop",
    "new_column": "stop",
    "wrong_type": "stop",
    "label": "stop",
    "drift": "warn",
    "skew": "warn",
    "picture_drift": "stop",
    "picture_skew": "warn",
    "constant": "warn",
    "identifier": "warn",
    "giveaway": "warn",
    "other": "stop",
}


@dataclasses.dataclass(frozen=True)
class Anomaly:
    """What was found of one feature in one split.

    Attributes:
      feature: the column; empty where it is the split as a whole.
      split: where.
      kind: one of KINDS.
      rows: how many rows it concerns, None where it is about all of them together.
      share: the same as a share of the split's rows.
      examples: up to three different values, as a person writes them.
      message: all of it in one line.
      severity: whether it stops the run.
      places: where each of the examples stands first, `line 3 of penguins.csv`, or the first rows without a value; empty if unknown.
    """

    feature: str
    split: str
    kind: str
    message: str
    rows: int | None = None
    share: float | None = None
    examples: list[str] = dataclasses.field(default_factory=list)
    severity: Severity = "stop"
    places: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Shift:
    """How far a feature's distribution is from another one, whether that is an anomaly or not.

    Attributes:
      feature: the column, with what of it for pictures: `image (brightness of the pictures)`.
      split: whose rows.
      kind: `drift` from the data that was accepted last, or `skew` from the train split.
      value: the distance, 0 to 1.
      allowed: the schema's threshold, or more where chance explains more.
    """

    feature: str
    split: str
    kind: str
    value: float
    allowed: float

    @property
    def sentence(self) -> str:
        """For a person, of one that is no anomaly."""
        return f"{self.feature} has moved most, by {self.value:.2f} where {self.allowed:.2f} is allowed"


def judged(found: Sequence[Anomaly], warn: Sequence[str], stop: Sequence[str]) -> list[Anomaly]:
    """`found` with the severities that a person has asked for: `warn` and `stop` hold columns and kinds.

    A column counts more than a kind, and `stop` more than `warn`. Labels that the task does not have always stop: nothing can be learnt
    of them.
    """

    def severity(anomaly: Anomaly) -> Severity:
        if anomaly.kind == "label":
            return "stop"
        for name in (anomaly.feature, anomaly.kind):
            if name in stop:
                return "stop"
            if name in warn:
                return "warn"
        return anomaly.severity

    return [dataclasses.replace(anomaly, severity=severity(anomaly)) for anomaly in found]
