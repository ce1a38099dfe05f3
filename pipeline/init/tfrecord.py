"""Looks at TFRecord files: which features the tf.Examples have, and of which type."""

import functools
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from components.example_gen.left_out import Rejects
from components.example_gen.readers import tfrecord_file
from pipeline.init import sample, table_files
from pipeline.init.sample import Block
from pipeline.init.source import Source
from pipeline.init.typed_table import Seen, Values
from trainer.errors import DataError


def look(path: str) -> Source:
    """The table in the files that `path` means; it needs no schema.

    Raises:
      ConfigError: no feature can be used.
      DataError: a file cannot be read, or holds no tf.Example with a feature.
    """
    seen, rejects = Seen(), Rejects()
    batches = _with_features(path, rejects)
    blocks = (Block(batch.num_rows, functools.partial(_picked, seen, batch)) for batch in batches)
    taken = sample.take(blocks, rejects, path)
    for name, types in seen.types.items():
        if len(types) > 1:
            seen.faults.setdefault(name, f"of several types, {' and '.join(map(str, types))}: write one")
    return seen.source("tfrecord", path, taken, "tf.Examples", table_files.by_split(path, tfrecord_file.SUFFIXES))


def _with_features(path: str, rejects: Rejects) -> Iterator[pa.RecordBatch]:
    empty, full = 0, 0
    for batch in tfrecord_file.batches(path, rejects.add):
        if batch.num_columns:
            full += batch.num_rows
            yield batch
        else:
            empty += batch.num_rows
    if not full and empty + rejects.count:
        raise DataError(f"Expected tf.Examples with features in '{path}'. Received: {empty + rejects.count:,} records of something else.")


def _picked(seen: Seen, batch: pa.RecordBatch, wanted: np.ndarray) -> pa.RecordBatch:
    some = batch.take(pa.array(wanted))
    return seen.text({name: _values(lists) for name, lists in zip(some.schema.names, some.columns, strict=True)})


def _values(lists: pa.Array) -> Values:
    if pa.types.is_null(lists.type):
        return Values(pa.nulls(len(lists), pa.string()), pa.null())
    text = tfrecord_file.one_a_row(lists, pa.string())
    wrong = next(iter(text.wrong.values()), "")
    several = "a list, but a column holds one value a row"
    fault = several if wrong.endswith("instead of one") else "bytes that are no text" if wrong else ""
    return Values(text.values, lists.type.value_type, fault)
