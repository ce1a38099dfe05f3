"""What happened in a run: the record that `--json` prints, and the few lines that a person reads."""

import dataclasses
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from components.bound import Bound
from trainer.errors import ConfigError

EXIT_STATUS = {"pushed": 0, "failed": 1, "refused": 3, "anomalies": 4}


@dataclasses.dataclass
class Summary:
    """The outcome of one run; the fields are those of `--json`."""

    outcome: str = "failed"
    version: str | None = None
    model_dir: str | None = None
    metrics: dict[str, Any] = dataclasses.field(default_factory=dict)
    reasons: list[str] = dataclasses.field(default_factory=list)
    components: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    seconds: float = 0.0
    bounds: list[Bound] = dataclasses.field(default_factory=list)
    log: str | None = None
    usage_error: bool = False
    signal_status: int | None = None

    @property
    def exit_status(self) -> int:
        """The status that the command ends with."""
        if self.signal_status:
            return self.signal_status
        return ConfigError.exit_status if self.usage_error else EXIT_STATUS[self.outcome]

    def to_json(self) -> dict[str, Any]:
        """The record as plain values."""
        record = dataclasses.asdict(self)
        del record["usage_error"], record["signal_status"]  # the exit status says it
        return record


def print_summary(console: Console, summary: Summary, name: str, following: Sequence[str] | None = None) -> None:
    """The gate's table, what became of the model, and what to type next: `following`, or how to serve it on this machine."""
    if summary.bounds:
        console.print(_gate_table(summary.bounds))
    if summary.outcome == "pushed":
        console.print(f"[green]Pushed[/] {name} version {summary.version} in {summary.seconds:.1f} s: {summary.model_dir}", soft_wrap=True)
        for line in _how_to_serve(summary, name) if following is None else following:
            console.print(line, soft_wrap=True)
    else:
        title = {"refused": "Refused", "anomalies": "Anomalies"}.get(summary.outcome, "Failed")
        for reason in summary.reasons:
            console.print(f"[red]{title}:[/] ", end="")
            console.print(reason, markup=False, soft_wrap=True)
        if summary.outcome == "refused":
            console.print("Nothing was pushed; what is served stays as it is.")
    if summary.log and summary.outcome != "pushed":
        console.print(f"Log:    {summary.log}", soft_wrap=True)


def _how_to_serve(summary: Summary, name: str) -> list[str]:
    base = (summary.model_dir or "").rpartition("/")[0]
    return [
        f"Next:   {_command()} serve --model_name {name} --model_base_path {base}",
        f"Then:   {_command()} predict IMAGE.png --model_name {name}",
    ]


def _command() -> str:
    """What to type to call this program again: its name where a shell finds it, else its path (`make run` without an activated .venv)."""
    here = Path(sys.argv[0])
    if shutil.which("tapeline") or here.name != "tapeline":
        return "tapeline"
    try:
        return str(here.relative_to(Path.cwd()))
    except (OSError, ValueError):  # the working folder has been removed, or is another one
        return str(here)


def _gate_table(bounds: list[Bound]) -> Table:
    table = Table("metric", "bound", "value", "verdict", title="Gate, on the test split", title_justify="left")
    for row in bounds:
        value = "no rows" if row.value is None else f"{row.value:.4f}"
        table.add_row(row.metric, f"≥ {row.bound:.4f}{row.origin}", value, "[green]passed[/]" if row.passed else "[red]refused[/]")
    return table
