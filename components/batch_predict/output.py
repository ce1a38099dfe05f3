"""Predictions as one file: CSV, Parquet, JSON lines or TFRecords of tf.Examples, by the suffix of its name."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf
from pyarrow import csv, parquet

from components.example_gen.examples import encode


def write(path: Path, shards: Iterable[Path]) -> int:
    """Writes what is in `shards`, one behind the other, a batch at a time, to `path`; how many rows there are."""
    count = 0

    def counted() -> Iterator[pa.RecordBatch]:
        nonlocal count
        for batch in _batches(shards):
            count += batch.num_rows
            yield batch

    WRITERS[path.suffix](path, counted())
    return count


def _batches(shards: Iterable[Path]) -> Iterator[pa.RecordBatch]:
    for shard in shards:
        with pa.OSFile(str(shard)) as file:
            reader = pa.ipc.open_file(file)
            for number in range(reader.num_record_batches):
                yield reader.get_batch(number)


def _to_jsonl(path: Path, batches: Iterable[pa.RecordBatch]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for batch in batches:
            read = [_reader(kind) for kind in batch.schema.types]
            columns = [column.to_pylist() for column in batch.columns]
            for row in zip(*columns, strict=True):
                values = {
                    name: None if value is None else convert(value)
                    for name, value, convert in zip(batch.schema.names, row, read, strict=True)
                }
                file.write(json.dumps(values, ensure_ascii=False) + "\n")


def _reader(kind: pa.DataType) -> Callable[[Any], Any]:
    if pa.types.is_large_string(kind):
        return json.loads
    return (lambda value: float(str(np.float32(value)))) if pa.types.is_float32(kind) else (lambda value: value)  # in its shortest form


def _to_tfrecord(path: Path, batches: Iterable[pa.RecordBatch]) -> None:
    with tf.io.TFRecordWriter(str(path)) as file:
        for batch in map(_as_text, batches):
            for example in encode(_with_whole_numbers(batch)):
                file.write(example)


def _with_writer(opened: Callable[[str, pa.Schema], Any]) -> Callable[[Path, Iterable[pa.RecordBatch]], None]:
    """What writes with one of pyarrow's own writers."""

    def to_file(path: Path, batches: Iterable[pa.RecordBatch]) -> None:
        writer = None
        try:
            for batch in map(_as_text, batches):
                writer = writer or opened(str(path), batch.schema)
                writer.write_batch(batch)
        finally:
            if writer:
                writer.close()

    return to_file


def _as_text(batch: pa.RecordBatch) -> pa.RecordBatch:
    """With text in place of JSON: that of a string, or the JSON of anything else."""
    return _mapped(batch, pa.types.is_large_string, lambda column: pa.array(map(_text, column.to_pylist()), pa.string()))


def _text(value: str | None) -> str | None:
    if value is None:
        return None
    read = json.loads(value)
    return read.encode("utf-8", "replace").decode() if isinstance(read, str) else value


def _with_whole_numbers(batch: pa.RecordBatch) -> pa.RecordBatch:
    return _mapped(batch, pa.types.is_boolean, lambda column: column.cast(pa.int64()))


def _mapped(batch: pa.RecordBatch, is_kind: Callable[[pa.DataType], bool], change: Callable[[pa.Array], pa.Array]) -> pa.RecordBatch:
    columns = [change(column) if is_kind(column.type) else column for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


WRITERS: Mapping[str, Callable[[Path, Iterable[pa.RecordBatch]], None]] = {
    ".csv": _with_writer(csv.CSVWriter),
    ".parquet": _with_writer(parquet.ParquetWriter),
    ".jsonl": _to_jsonl,
    ".tfrecord": _to_tfrecord,
}
