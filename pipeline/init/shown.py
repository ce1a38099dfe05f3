"""What was found in a table, as people read it on a terminal of 80 columns."""

from collections.abc import Iterable

from rich import box
from rich.console import RenderableType
from rich.table import Table as Shown
from rich.text import Text

from pipeline.init.column import Column
from pipeline.init.kinds import Kind
from pipeline.init.label import Label
from pipeline.init.table_config import Table

_MOST_COLUMNS, _MOST_CLASSES = 100, 10
_CELLS = 12  # of an example on the screen


def columns(found: Iterable[Column], kinds: dict[str, Kind], table: Table) -> RenderableType:
    """A row for each column: its kind, missing and different values, three examples, and why it is taken for that kind or left out."""
    shown = Shown(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    shown.add_column("column", overflow="fold", max_width=18)
    shown.add_column("kind", no_wrap=True)
    shown.add_column("missing", justify="right", no_wrap=True)
    shown.add_column("distinct", justify="right", no_wrap=True)
    shown.add_column("examples", overflow="fold", max_width=18)
    shown.add_column("why", overflow="fold")
    everything = [_cells(column, kinds[column.name], table) for column in found]
    everything += [(name, "-", "", "", "", f"not used: {why}") for name, why in table.source.unusable.items()]
    for cells in everything[:_MOST_COLUMNS]:
        shown.add_row(*(Text(line(cell)) for cell in cells), style="dim" if cells[1] == "-" else "")
    if len(everything) > _MOST_COLUMNS:
        shown.caption = f"and {len(everything) - _MOST_COLUMNS:,} more columns, which are in the config"
    return shown


def _cells(column: Column, kind: Kind, table: Table) -> tuple[str, ...]:
    role, why = _role(column, kind, table)
    examples = ", ".join(_short(example) for example in column.examples)
    return column.name, role, f"{column.missing:,}", f"{len(column.distinct):,}", examples, why


def _role(column: Column, kind: Kind, table: Table) -> tuple[str, str]:
    if column.name in (table.target.columns or (table.label.name,)):
        return "label", table.target.kind
    if column.name == table.split:
        return "split", "names each row's split"
    if column.name in table.others:
        return "-", f"not used: {table.others[column.name][1]}"
    return kind.name, kind.why


def line(text: str) -> str:
    """A text of the data in one line, without signs that move a terminal's cursor."""
    return "".join(sign if sign.isprintable() or sign == "\u3000" else " " for sign in text)


def _short(text: str) -> str:
    cut = Text(line(text))
    cut.truncate(_CELLS, overflow="ellipsis")
    return cut.plain


def target(table: Table, chosen: Label) -> list[str]:
    """The label and what is to be learnt of it, with the classes' rows."""
    label, task = table.label, table.target
    why = f" ({task.why})" if task.why else ""
    positive = f", positive is '{task.positive}'" if task.positive is not None else ""
    named = f"'{label.name}', made of {', '.join(map(repr, task.columns))}" if task.columns else f"'{label.name}'"
    lines = [f"Label {named}{f' ({chosen.why})' if chosen.why else ''}: {task.kind}{why}{positive}."]
    if task.kind != "regression":
        classes = task.classes(label)
        counts = list(zip(classes.distinct.to_pylist(), classes.counts.tolist(), strict=True))
        more = f" and {len(counts) - _MOST_CLASSES:,} more" if len(counts) > _MOST_CLASSES else ""
        listed = ", ".join(f"{name} {count:,}" for name, count in counts[:_MOST_CLASSES])
        sampled = "" if table.source.taken.is_whole else f" in the {label.rows:,} rows that were looked at"
        lines.append(f"{len(counts):,} classes{sampled}: {listed}{more}.")
    return lines
