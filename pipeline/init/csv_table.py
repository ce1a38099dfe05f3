"""Looks at CSV and TSV files: files -> dialect -> sample -> columns of text."""

from pathlib import Path

import pyarrow as pa

from components.example_gen.left_out import Rejects
from components.example_gen.readers import csv_file, spelling
from components.example_gen.readers.rows import Reject
from components.example_gen.readers.sniffer import sniff
from pipeline.init import no_rows, odd_cells, sample, sentinels, spellings, table_files
from pipeline.init.column import Column
from pipeline.init.sample import Sample
from pipeline.init.source import Source
from trainer.errors import ConfigError


def look(path: str) -> Source:
    """The table in the files that `path` means.

    Raises:
      ConfigError: the files have different headers.
      DataError: a file cannot be read, or has no row.
    """
    files = table_files.find(path)
    found = sniff(files.paths[0])
    dialect = found.dialect
    taken, unread = _read(files.paths, dialect, found.columns, path)
    none = no_rows.in_rows(taken, found.columns) | no_rows.in_lines(files.paths[0], unread, dialect)
    if none:
        dialect = dialect.model_copy(update={"not_rows": tuple(none)})
        taken, _ = _read(files.paths, dialect, found.columns, path)
    columns = [Column(name, sample.column(taken.table, name), dialect, taken.head.column(name)) for name in found.columns]
    spelt = spellings.find(columns, dialect.missing)
    dialect = dialect.model_copy(update={"trim": spelt.trim, "replace": spelt.replace})
    sentinel = sentinels.find(columns)
    odd = odd_cells.markers(columns) | sentinel.markers
    dialect = dialect.model_copy(update={"missing": (*dialect.missing, *odd)})
    columns = [Column(each.name, _read_by(dialect, odd, each.values), dialect, _read_by(dialect, odd, each.head)) for each in columns]
    told = (f"A line that begins with '{text}' is taken for no row: {what}." for text, what in none.items())
    doubts = (
        *(each for each in found.doubts if not (none and "number of fields" in each)),
        *told,
        *spelt.doubts,
        *odd.values(),
        *sentinel.doubts,
    )
    return Source("csv", files.place, taken, columns, {}, files.by_split, dialect, found.reasons, doubts)


def _read_by(dialect: csv_file.Dialect, odd: dict[str, str], values: pa.Array) -> pa.Array:
    return odd_cells.without(spelling.unified(values, dialect), odd) if odd or dialect.trim or dialect.replace else values


def _read(paths: list[Path], dialect: csv_file.Dialect, columns: tuple[str, ...], path: str) -> tuple[Sample, dict[int, str]]:
    """The sample, and which lines of the first file cannot be read, and why."""
    rejects, unread = Rejects(), {}

    def reject(each: Reject) -> None:
        rejects.add(each)
        if each.file == paths[0].name and each.line is not None:
            unread[each.line] = each.reason

    try:
        parts = csv_file.open_csv(paths, dialect, dict.fromkeys(columns, pa.string()))
    except ConfigError as error:  # a file without one of the first one's columns
        raise ConfigError(f"{error} Name only files of one header: '{path}' has {len(paths)} files.") from None
    blocks = (sample.block(rows.batch) for part in parts for rows in part.read(reject))
    return sample.take(blocks, rejects, parts[0].name), unread
