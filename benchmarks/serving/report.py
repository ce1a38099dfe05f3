"""What a part has measured, its bars and whether they hold, as tables for people and as JSON for scripts."""

from dataclasses import dataclass, field

from rich import box
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Bar:
    """A limit in words, and whether the value must stay below or above it."""

    text: str
    limit: float
    upper: bool

    def holds(self, value: float) -> bool:
        """Whether the value is on the right side; a value on the bar is."""
        return value <= self.limit if self.upper else value >= self.limit


def at_most(limit: float) -> Bar:
    """The value must not be above the limit."""
    return Bar(f"at most {limit:g}", limit, upper=True)


def at_least(limit: float) -> Bar:
    """The value must not be below the limit."""
    return Bar(f"at least {limit:g}", limit, upper=False)


@dataclass(frozen=True)
class Verdict:
    """One ratio and its bar."""

    what: str
    value: float
    bar: Bar

    @property
    def holds(self) -> bool:
        """Whether the bar is met."""
        return self.bar.holds(self.value)


@dataclass
class Part:
    """One part's table (cells as printed), the ratios that have a bar, and notes: what was skipped and why, in a line each."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        """One more row."""
        self.rows.append(cells)

    def judge(self, what: str, value: float, bar: Bar) -> None:
        """One more ratio with a bar."""
        self.verdicts.append(Verdict(what, value, bar))

    def to_json(self) -> dict:
        """The table's cells, and the verdicts with their numbers."""
        verdicts = [{"what": each.what, "value": each.value, "bar": each.bar.text, "holds": each.holds} for each in self.verdicts]
        return {"part": self.name, "columns": self.columns, "rows": self.rows, "verdicts": verdicts, "notes": self.notes}


def show(part: Part, console: Console) -> None:
    """Prints the table in Markdown, as docs/benchmarks.md keeps it, and a line a bar."""
    table = Table(*part.columns, title=f"{part.name}: {part.title}", title_justify="left", box=box.MARKDOWN)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in part.rows:
        table.add_row(*row)
    console.print(table)
    for note in part.notes:
        console.print(note, style="yellow")
    for verdict in part.verdicts:
        word, style = ("holds", "green") if verdict.holds else ("MISSED", "bold red")
        console.print(f"{word}: {verdict.what}: {verdict.value:.2f} ({verdict.bar.text})", style=style, highlight=False)
    console.print()
