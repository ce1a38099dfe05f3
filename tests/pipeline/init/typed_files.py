"""Writes objects as Parquet, JSON lines and TFRecords, and reads what a config names."""

import gzip
import json

import pyarrow as pa
import pytest
from pyarrow import parquet

from components.example_gen import source
from components.example_gen.examples import encode


def as_parquet(path, rows):
    parquet.write_table(pa.Table.from_pylist(rows), path, row_group_size=50)


def as_json_lines(path, rows):
    kept = ({key: value for key, value in row.items() if value is not None} for row in rows)
    text = "\ufeff" + "".join(json.dumps(row) + "\n" for row in kept)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def as_tfrecord(path, rows):
    import tensorflow as tf

    table = pa.Table.from_pylist([row | {"flag": str(row["flag"]).lower()} for row in rows]).combine_chunks()
    records = encode(table.to_batches()[0])
    with tf.io.TFRecordWriter(str(path), "GZIP" if path.suffix == ".gz" else None) as writer:
        for record in records:
            writer.write(record)


WRITERS = {
    "rows.parquet": as_parquet,
    "rows.jsonl": as_json_lines,
    "rows.json.gz": as_json_lines,
    "rows.tfrecord": as_tfrecord,
    "rows.tfrecord.gz": as_tfrecord,
}


def read(config):
    """All values of a config's columns, by name."""
    with source.open_data(config.data, config.columns) as (parts, _):
        batches = [each.batch for part in parts for each in part.read(pytest.fail)]
    return pa.Table.from_batches(batches).to_pydict()
