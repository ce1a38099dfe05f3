"""What happened in a run: the object that `--json` prints, and the few lines that a person reads."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

from rich.console import Console
from rich.table import Table
from typing_extensions import TypedDict  # typing's own is not enough for pydantic below Python 3.12

from components.anomaly import Anomaly, Shift
from components.bound import Bound
from components.gate_verdict import Verdict
from pipeline import steps
from pipeline.plain import command, print_line
from pipeline.runs.tuning import Tuning, print_tuning
from trainer.errors import ConfigError
from trainer.exported import Exported

if TYPE_CHECKING:  # pydantic may be what is missing where a failure is told
    from trainer.problem import Problem

Outcome = Literal["pushed", "refused", "failed", "anomalies", "tuned"]
EXIT_STATUS = {"pushed": 0, "failed": 1, "refused": 3, "anomalies": 4, "tuned": 0}
# The exit status and the record say them.
_NOT_PRINTED = ("usage_error", "signal_status", "rows", "spans", "duplicates", "artifacts", "answered_from", "exports")


class Component(TypedDict):
    """One component of a run as `--json` gives it: seconds it took, and the rows it worked on where they are a measure of it."""

    name: str
    seconds: float
    cached: bool
    rows: int | None


@dataclasses.dataclass
class Summary:
    """What a runner has found of one run so far.

    The fields down to `log` are those of `--json`; the run's record has the rest too.

    Attributes:
      usage_error: whether it failed by what the user gave.
      signal_status: 128 and the signal that ended it.
      rows: rows by split.
      spans: the spans that were read, as the record has them.
      duplicates: what each later split has of earlier ones, as the record has it.
      artifacts: where the outputs are, by component and output, as the metadata keep it.
      answered_from: the earlier run whose record answered it.
      exports: what became of the files that the model was converted to.
    """

    outcome: Outcome = "failed"
    version: str | None = None
    model_dir: str | None = None
    metrics: dict[str, Any] = dataclasses.field(default_factory=dict)
    anomalies: list[Anomaly] = dataclasses.field(default_factory=list)
    shifts: list[Shift] = dataclasses.field(default_factory=list)
    reasons: list[str] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)
    components: list[Component] = dataclasses.field(default_factory=list)
    seconds: float = 0.0
    bounds: list[Bound] = dataclasses.field(default_factory=list)
    log: str | None = None
    tuning: Tuning | None = None
    usage_error: bool = False
    signal_status: int | None = None
    rows: dict[str, int] = dataclasses.field(default_factory=dict)
    spans: list[dict[str, int | None]] = dataclasses.field(default_factory=list)
    duplicates: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
    artifacts: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    answered_from: str | None = None
    exports: list[Exported] = dataclasses.field(default_factory=list)

    def warn(self, anomalies: Sequence[Anomaly], shifts: Sequence[Shift]) -> None:
        """What the data gate has found, and how far the data is from that which was accepted last."""
        self.anomalies, self.shifts = list(anomalies), list(shifts)
        self.notes = [*self.notes, *(f"the data: {anomaly.message}" for anomaly in anomalies if anomaly.severity == "warn")]
        drift = [shift for shift in shifts if shift.kind == "drift"]
        if drift and not any("drift" in anomaly.kind for anomaly in anomalies):
            within = [shift for shift in drift if shift.value <= shift.allowed]  # of others a few far values, and no decile, have moved
            farthest = max(within, key=lambda shift: shift.value / max(shift.allowed, 1e-9), default=None)
            self.notes.append(f"no drift from the data that was accepted last{f': {farthest.sentence}' if farthest else ''}")

    def stop(self, said: dict[str, Any]) -> None:
        """The data gate has stopped the run, as `step_log.anomalies` gives it; reasons that it does not say stay."""
        self.outcome = "anomalies"
        self.reasons = said.get("reasons", self.reasons)
        self.warn([Anomaly(**anomaly) for anomaly in said.get("anomalies", [])], [Shift(**shift) for shift in said.get("shifts", [])])

    def convert(self, exports: Sequence[Exported], folder: str) -> None:
        """What the Trainer has made of its model beside the saved one, in `folder`."""
        self.exports = list(exports)
        self.notes = [*self.notes, *(each.line for each in exports)]
        if any(each.file for each in exports):
            self.notes.append(f"converted models are in {folder}")

    def take(self, verdict: Verdict) -> None:
        """What the gate has said."""
        self.metrics, self.bounds, self.reasons = verdict.metrics, verdict.bounds, verdict.reasons
        self.notes = [*self.notes, *verdict.notes]

    @property
    def is_decided(self) -> bool:
        """Whether the last step has ended: what happens from then on changes nothing."""
        return self.outcome in ("pushed", "refused", "tuned")

    def is_refused_by(self, step: str) -> bool:
        """Whether the step of that id is the Pusher and had nothing to push."""
        return step == steps.PUSHER.id and self.outcome == "refused"

    @property
    def exit_status(self) -> int:
        """The status that the command ends with."""
        if self.signal_status:
            return self.signal_status
        return ConfigError.exit_status if self.usage_error else EXIT_STATUS[self.outcome]

    def to_values(self) -> dict[str, Any]:
        """All of it as plain values, which `from_values` takes."""
        return dataclasses.asdict(self)

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> Self:
        """What `to_values` gave."""
        kinds = {"bounds": Bound, "anomalies": Anomaly, "shifts": Shift, "exports": Exported}
        values = values | {"tuning": values["tuning"] and Tuning(**values["tuning"])}
        return cls(**values | {name: [kind(**each) for each in values[name]] for name, kind in kinds.items()})

    def to_json(self) -> dict[str, Any]:
        """What `--json` prints, as plain values."""
        return {name: value for name, value in self.to_values().items() if name not in _NOT_PRINTED}


def sample(problem: "Problem | None") -> str:
    """The name of a file that a model of `problem` can be asked about, for people."""
    return "ROWS.csv" if problem and not problem.is_of_pictures else "IMAGE.png"


def print_summary(console: Console, summary: Summary, name: str, following: Sequence[str] | None = None, asked: str = "IMAGE.png") -> None:
    """The gate's table, what became of the model, and what to type next: `following`, or how to serve it and ask about the file `asked`."""
    if summary.tuning and summary.outcome != "failed":
        print_tuning(console, summary.tuning)
    if summary.bounds:
        console.print(_gate_table(summary.bounds, ("≥", "≤") if console.encoding.startswith("utf") else (">=", "<=")))
    for note in summary.notes:
        print_line(console, f"   {note}", "Note:", "yellow")
    if summary.outcome == "tuned":
        for line in following or []:
            print_line(console, line)
    elif summary.outcome == "pushed":
        print_line(console, f" {name} version {summary.version} in {summary.seconds:.1f} s: {summary.model_dir}", "Pushed", "green")
        for line in _how_to_serve(summary, name, asked) if following is None else following:
            print_line(console, line)
    else:
        title = {"refused": "Refused", "anomalies": "Anomalies"}.get(summary.outcome, "Failed")
        for number, reason in enumerate(summary.reasons):
            if summary.outcome == "anomalies" and number:  # below the line that counts them
                print_line(console, f"- {reason}")
            else:
                print_line(console, f" {reason}", f"{title}:", "red")
        if summary.outcome == "refused":
            print_line(console, "Nothing was pushed; what is served stays as it is.")
    if summary.log and summary.outcome not in ("pushed", "tuned"):
        print_line(console, f"Log:    {summary.log}")


def _how_to_serve(summary: Summary, name: str, asked: str) -> list[str]:
    base = (summary.model_dir or "").rpartition("/")[0]
    return [
        f"Next:   {command('serve', '--model_name', name, '--model_base_path', base)}",
        f"Then:   {command('predict', asked, '--model_name', name)}",
    ]


def _gate_table(bounds: list[Bound], signs: tuple[str, str]) -> Table:
    table = Table("metric", "bound", "value", "verdict", title="Gate, on the test split", title_justify="left")
    for row in bounds:
        value = "no rows" if row.value is None else f"{row.value:.4f}"
        table.add_row(
            row.metric,
            f"{signs[0] if row.at_least else signs[1]} {row.bound:.4f}{row.origin}",
            value,
            "[green]passed[/]" if row.passed else "[red]refused[/]",
        )
    return table
