"""What a person sees while a run is under way: one live line a component."""

import dataclasses
import json
import time
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from pipeline import steps

EPOCHS_VARIABLE = "TAPELINE_PROGRESS"  # in the environment: the file into which the Trainer writes a line an epoch
START = "start"  # not a component: what comes before the first
WHAT = {START: "load TFX and TensorFlow"} | {step.id: step.words for step in steps.STEPS}
NOTHING_TO_PUSH = "nothing to push: gate refused"
_ROWS_WIDTH = 14  # of the column of rows, and of the bar that stands there as long as there are none
_MARKS = {"run": ("✓", "green"), "cached": ("✓", "cyan"), "skipped": ("-", "dim"), "refused": ("-", "yellow"), "failed": ("✗", "red")}


@dataclasses.dataclass
class Line:
    """One component's line.

    Attributes:
      name: the component.
      state: `running`, `run`, `cached`, `skipped`, `failed`, or `refused` for a Pusher that had nothing to push.
      seconds: how long it took.
      rows: how many rows it worked on, None where rows are no measure of it.
      cached: whether its outputs were an earlier run's.
    """

    name: str
    state: str = "running"
    seconds: float = 0.0
    rows: int | None = None
    cached: bool = False
    started: float = dataclasses.field(default_factory=time.monotonic)


class Progress:
    """The lines of a run, live on a terminal and one after the other elsewhere; also the run's record of them."""

    def __init__(self, out: TextIO, epochs_file: Path) -> None:
        self.lines: list[Line] = []
        self._console = Console(file=out, highlight=False)
        self._epochs_file = epochs_file
        self._epochs_seen: list[tuple[int, float]] = []  # see `_bar`
        self._spinner = Spinner("dots")
        self._live = (
            Live(get_renderable=self._render, console=self._console, refresh_per_second=8, redirect_stdout=False, redirect_stderr=False)
            if self._console.is_terminal
            else None
        )

    def __enter__(self) -> "Progress":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def start(self, name: str) -> None:
        """A component begins."""
        self.lines.append(Line(name))

    def finish(self, state: str, rows: int | None = None, *, refused: bool = False) -> None:
        """The component that began last has ended as `state`; `refused`: it is a Pusher whose model the gate did not let through."""
        line = self.lines[-1]
        line.cached = state == "cached"
        line.state, line.rows, line.seconds = "refused" if refused else state, rows, time.monotonic() - line.started
        if not self._live:
            self._console.print(_table([line]))

    def fail(self) -> None:
        """The component that is under way, if one is, has failed."""
        if self.lines and self.lines[-1].state == "running":
            self.finish("failed")

    def end(self) -> None:
        """The component that is under way, if one is, has ended well."""
        if self.lines and self.lines[-1].state == "running":
            self.finish("run")

    def components(self) -> list[dict[str, Any]]:
        """The components so far as `--json` gives them: name, seconds, cached, rows."""
        return [
            {"name": line.name, "seconds": round(line.seconds, 2), "cached": line.cached, "rows": line.rows}
            for line in self.lines
            if line.name != START
        ]

    def _render(self) -> RenderableType:
        return _table(self.lines, self._spinner, self._epoch(), self._left())

    def _left(self) -> str:
        """A bar of the epochs and the time that all others will take, as long as those seen so far; they may be stopped earlier."""
        try:
            line = json.loads(self._epochs_file.read_text(encoding="utf-8").splitlines()[-1])
            epoch, epochs = line["epoch"], line["epochs"]
        except (OSError, IndexError, json.JSONDecodeError, KeyError):
            return ""
        if line.get("resumed"):
            return ""
        now = time.monotonic()
        if not self._epochs_seen or epoch < self._epochs_seen[-1][0]:
            self._epochs_seen = [(epoch, now)]
        if epoch > self._epochs_seen[-1][0]:
            self._epochs_seen = [self._epochs_seen[0], (epoch, now)]
        return _bar(epoch, epochs, self._epochs_seen, now)

    def _epoch(self) -> str:
        """The Trainer's last finished epoch, in words; after an interruption where it goes on."""
        try:
            last = self._epochs_file.read_text(encoding="utf-8").splitlines()[-1]
            epoch = json.loads(last)
        except (OSError, IndexError, json.JSONDecodeError):  # no epoch yet, or a line half written
            return ""
        if "trial" in epoch:
            left = "" if epoch["seconds_left"] is None else f", {_span(epoch['seconds_left'])} left"
            return f"trial {epoch['trial']}/{epoch['trials']}{left}"
        if epoch.get("resumed"):
            return f"goes on from epoch {min(epoch['epoch'] + 1, epoch['epochs'])} of {epoch['epochs']}"
        accuracy = f", val_acc {epoch['val_accuracy']:.4f}" if "val_accuracy" in epoch else f", val_loss {epoch['val_loss']:.4f}"
        return f"epoch {epoch['epoch']}/{epoch['epochs']}{accuracy}"


def _bar(epoch: int, epochs: int, seen: list[tuple[int, float]], now: float) -> str:
    """`seen` is the first epoch and the last one, each with the time at which it had ended."""
    (first, began), (last, ended) = seen[0], seen[-1]
    left = ""
    if last > first:
        seconds = (ended - began) / (last - first) * (epochs - last) - (now - ended)
        left = f" {_span(max(seconds, 0.0))} left"
    width = _ROWS_WIDTH - len(left)
    done = width * epoch // epochs
    return "━" * done + "─" * (width - done) + left


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _table(lines: list[Line], spinner: Spinner | None = None, epoch: str = "", left: str = "") -> Table:
    table = Table.grid(padding=(0, 1))
    for column, width in enumerate((1, 16, 29, _ROWS_WIDTH, 8, 7)):  # 80 columns with the gaps
        table.add_column(min_width=width, no_wrap=True, justify="right" if column in (3, 4) else "left", overflow="ellipsis")
    for line in lines:
        running = line.state == "running"
        seconds = time.monotonic() - line.started if running else line.seconds
        mark: RenderableType = (spinner or Text("·")) if running else Text(*_MARKS[line.state])
        what = epoch if running and line.name in (steps.TUNER.id, steps.TRAINER.id) and epoch else WHAT.get(line.name, "")
        what = NOTHING_TO_PUSH if line.state == "refused" else what
        rows = f"{line.rows:,} rows" if line.rows is not None else left if running and line.name == steps.TRAINER.id else ""
        state = "" if running else line.state
        table.add_row(mark, Text(line.name, "bold"), Text(what, "dim"), rows, f"{seconds:.1f} s", Text(state, "dim"))
    return table
