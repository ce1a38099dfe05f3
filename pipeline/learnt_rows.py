"""Reads the tables that `tapeline predict` sends to a server as the model has learnt to read them, where it was pushed here.

a model's name and version -> its folder below runs/ -> the problem in it -> each table's rows, as batch prediction and ingestion read them
"""

import datetime
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from components import predicted_rows
from components.example_gen.readers.rows import Reject
from pipeline import pushed_models
from pipeline.workspace import DEFAULT_PARENT
from serving.errors import InputFileError
from serving.predict_table import Record
from trainer.errors import TapelineError
from trainer.problem import FILE, Problem


def reader(name: str, version: int, paths: Sequence[Path]) -> Callable[[], Iterator[Record]] | None:
    """How to read the rows of `paths` for this version of a model; None of one that is not below runs/, or does not say what it learnt."""
    place = pushed_models.version_folder(Path(DEFAULT_PARENT), name, version)
    if place is None or not (place / FILE).is_file():
        return None
    problem = Problem.from_json((place / FILE).read_text("utf-8"))
    return lambda: (record for path in paths for record in _records(path, problem))


def _records(path: Path, problem: Problem) -> Iterator[Record]:
    """In the order of the lines. Raises InputFileError."""
    rejects: list[Reject] = []
    try:
        with predicted_rows.open_input(str(path), problem) as sources:
            for rows in (rows for source in sources for rows in source.read(rejects.append)):
                last = rows.places[-1][1]
                records = [_refused(path, each) for each in rejects if (each.line or 0) <= last]
                rejects[:] = [each for each in rejects if (each.line or 0) > last]
                cells = {**_cells(rows.shown), **_cells(rows.features)}
                for number, (_, line) in enumerate(rows.places):
                    row = {name: values[number] for name, values in cells.items()}
                    records.append((line, Record(f"{path}:{line}", f"{path}, line {line}", row)))
                yield from (record for _, record in sorted(records, key=lambda each: each[0]))
    except TapelineError as error:
        raise InputFileError(str(error)) from error
    yield from (record for _, record in (_refused(path, each) for each in rejects))


def _refused(path: Path, each: Reject) -> tuple[int, Record]:
    line = each.line or 0
    return line, Record(f"{path}:{line}", f"{path}, line {line}", fault=each.reason)


def _cells(batch: Any) -> dict[str, list[Any]]:
    return {name: [_cell(value) for value in column.to_pylist()] for name, column in zip(batch.schema.names, batch.columns, strict=True)}


def _cell(value: Any) -> Any:
    """As `Record` has cells: a text is `bytes`, so that nobody takes it for another thing once more; "" where there is nothing."""
    if value is None:
        return ""
    if isinstance(value, (datetime.date, datetime.time)):
        return str(value).encode()
    return value.encode("utf-8", "replace") if isinstance(value, str) else value
