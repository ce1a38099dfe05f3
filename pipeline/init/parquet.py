"""Looks at Parquet: columns and rows as its metadata has them, and a sample from row groups all over the files."""

import functools
import math

import numpy as np
import pyarrow as pa

from components.example_gen.left_out import Rejects
from components.example_gen.readers import parquet_file
from components.example_gen.readers.typed import converted, converts, is_list
from pipeline.init import sample, table_files
from pipeline.init.sample import Block
from pipeline.init.source import Source
from pipeline.init.typed_table import Seen, Values

_MOST_READ = 1 << 30  # bytes, unpacked, of the row groups that are looked into


def look(path: str) -> Source:
    """The table in the files that `path` means.

    Raises:
      ConfigError: no column can be used, or a file lacks one of the first one's.
      DataError: a file cannot be read, or none has a row.
    """
    schema, groups = parquet_file.look(path)
    seen = Seen()
    for field in schema:
        seen.types[field.name] = [field.type]
        if fault := _fault(field.type):
            seen.faults[field.name] = fault
    rows = sum(group.rows for group in groups)
    looked_into = groups[:: int(sum(group.rows * group.row_bytes for group in groups) // _MOST_READ) + 1]
    names = [name for name in schema.names if name not in seen.faults]
    batches = (batch for group in looked_into for batch in parquet_file.read_group(group, names))
    blocks = (Block(batch.num_rows, functools.partial(_picked, seen, batch)) for batch in batches)
    taken = sample.take(blocks, Rejects(), path, most_read=math.inf)
    return seen.source("parquet", path, taken._replace(rows=rows), "Parquet", table_files.by_split(path, parquet_file.SUFFIXES))


def _picked(seen: Seen, batch: pa.RecordBatch, wanted: np.ndarray) -> pa.RecordBatch:
    return seen.text(_values(batch.take(pa.array(wanted))))


def _values(batch: pa.RecordBatch) -> dict[str, Values]:
    return {name: _one(array) for name, array in zip(batch.schema.names, batch.columns, strict=True)}


def _one(array: pa.Array) -> Values:
    text = converted(array, pa.string())
    return Values(text.values, array.type, "bytes that are no text" if text.wrong else "")


def _fault(given: pa.DataType) -> str:
    """Why values of a type cannot be read, a clause for people; empty where they can."""
    if is_list(given):
        return "a list, but a column holds one value a row"
    if pa.types.is_nested(given):
        return "nested: write a column for each of its fields"
    return "" if converts(given, pa.string()) else f"of the type {given}: write it as a number"
