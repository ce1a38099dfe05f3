"""Looks at CSV and TSV files: files -> dialect -> sample -> columns of text."""

from pathlib import Path

import pyarrow as pa

from components.example_gen.left_out import Rejects
from components.example_gen.readers import csv_file
from components.example_gen.readers.sniffer import sniff
from pipeline.init import odd_cells, sample, table_files
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
    taken = _read(files.paths, found.dialect, found.columns, path)
    columns = [Column(name, sample.column(taken.table, name), found.dialect, taken.head.column(name)) for name in found.columns]
    odd = odd_cells.markers(columns)
    dialect = found.dialect.model_copy(update={"missing": (*found.dialect.missing, *odd)})
    if odd:
        columns = [Column(each.name, odd_cells.without(each.values, odd), dialect, odd_cells.without(each.head, odd)) for each in columns]
    doubts = (*found.doubts, *odd.values())
    return Source("csv", files.place, taken, columns, {}, files.by_split, dialect, found.reasons, doubts)


def _read(paths: list[Path], dialect: csv_file.Dialect, columns: tuple[str, ...], path: str) -> Sample:
    rejects = Rejects()
    try:
        parts = csv_file.open_csv(paths, dialect, dict.fromkeys(columns, pa.string()))
    except ConfigError as error:  # a file without one of the first one's columns
        raise ConfigError(f"{error} Name only files of one header: '{path}' has {len(paths)} files.") from None
    return sample.take((sample.block(rows.batch) for part in parts for rows in part.read(rejects.add)), rejects, parts[0].name)
