"""A damaged input: how it is made, and what must come of it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from components.example_gen.columns import Columns

ROWS = 60
TABLE = Columns(kept={"a": "float", "b": "string", "y": "string"}, label="y")


class Case(NamedTuple):
    """A damaged input, and what `tapeline init` and the ingestion must make of it.

    Attributes:
      name: what is wrong, for people.
      make: writes it into an empty folder, and gives the path or pattern that a user names.
      format: as `data.format` says it.
      init: the exit status, and words of the one line on stderr, or of stdout where the status is 0; None where it is not given to `init`.
      ingest: likewise of the ingestion; where the status is 0 the number of rows.
      options: of `tapeline init`.
      data: more settings of `data`.
      columns: what the ingestion reads of a table.
    """

    name: str
    make: Callable[[Path], Path | str]
    format: str
    init: str | None
    ingest: str | None
    options: tuple[str, ...] = ()
    data: Mapping[str, object] = {}
    columns: Columns = Columns()


def row(number: int) -> tuple[str, str, str]:
    """The cells of a sound row, all different: `a` is a number, `b` a word, `y` one of two classes."""
    return f"{number}.5", f"word{number % 3}", ("yes", "no")[number % 2]


def text(rows: int = ROWS, delimiter: str = ",", header: str = "a,b,y") -> str:
    """A sound table."""
    lines = [header, *(",".join(row(number)) for number in range(rows))]
    return "".join(f"{line.replace(',', delimiter)}\n" for line in lines)


def file(name: str, content: bytes | str | Callable[[], bytes]) -> Callable[[Path], Path]:
    """Writes one file."""

    def make(folder: Path) -> Path:
        path = folder / name
        found = content() if callable(content) else content
        path.write_bytes(found.encode() if isinstance(found, str) else found)
        return path

    return make
