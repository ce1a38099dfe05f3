"""Reads TFRecord files of tf.Examples, gzipped or not: the named features in the types that are wanted.

check that the features are there and take digests -> records, their checksums compared -> some at once through tfx_bsl -> convert
-> is it still the file that was checked?
"""

import functools
import itertools
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import google_crc32c
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.coders import example_coder

from components.example_gen.readers import cells
from components.example_gen.readers.cells import Column
from components.example_gen.readers.data_files import check_column, check_unchanged, files_at
from components.example_gen.readers.raw_file import RawFile, sha256
from components.example_gen.readers.rows import MOST_BYTES, MOST_ROWS, Part, Reject, Rows
from components.example_gen.readers.typed import converted, converts, good_rows, is_list
from trainer.errors import ConfigError, DataError

SUFFIXES = (".tfrecord", ".tfrecords", ".tfrec", ".tfrecord.gz", ".tfrecords.gz", ".gz")
_HEAD, _TAIL = struct.Struct("<QI"), struct.Struct("<I")
_MOST_RECORD = 1 << 28  # bytes; a length that is corrupt has another checksum
_AT_ONCE = 1000  # records that are decoded together while the types are found
_MORE = "Copy or download it again."


def open_tfrecords(
    place: Path | str, columns: Mapping[str, pa.DataType], orders: Mapping[str, cells.TimeOrder] | None = None
) -> list[Part]:
    """One part for each file that has records, whose batches hold `columns` in their order; lines are numbers of records.

    A feature without a value is a missing value, and so is a list's; one with several is wrong where no list is wanted.

    Args:
      place: a file, a folder or a pattern.
      columns: by the feature's name the type that is wanted: string, float64, int64, binary or a list of one.
      orders: of the features of times as text whose dates do not begin with the year, whether the day or the month comes first.

    Raises:
      ConfigError: there is no such file or feature, or a feature is of a type that cannot become the wanted one.
      DataError: a file that is no sound TFRecord file as far as it had to be read, or no records at all.
    """
    files = files_at(place, SUFFIXES, "TFRecord files")
    digests = {name: sha256(path) for name, path in files.items()}
    kinds: dict[str, pa.DataType | None] = {}
    filled = []
    for name, path in files.items():
        records = _records(RawFile(path))
        first = next(records, None)
        if first is None:
            continue
        filled.append(name)
        for some in _some(itertools.chain([first], records), _AT_ONCE):
            if all(kinds.get(column) is not None for column in columns):
                break
            for batch, _ in _decoded(some, None):
                for field in batch.schema if batch else ():
                    kinds[field.name] = kinds.get(field.name) or (None if pa.types.is_null(field.type) else field.type.value_type)
    if not filled:
        raise DataError(f"Expected records in '{place}'. Received: {len(files):,} TFRecord file{'s' * (len(files) > 1)} without any.")
    if not kinds:
        raise no_examples(place)
    found = {}
    for column, wanted in columns.items():
        check_column(files[filled[0]], column, kinds)
        value = wanted.value_type if is_list(wanted) else wanted
        found[column] = given = kinds[column] or value  # no record has a value of it
        if not converts(given, value):
            raise ConfigError(f"Expected the feature '{column}' of '{place}' to be one that can become {wanted}. Received: {given}.")
    return [
        Part(None, name, {name: digests[name]}, functools.partial(_read, reading))
        for name in filled
        for reading in [_Reading(name, files[name], dict(columns), orders or {}, found, digests[name])]
    ]


def no_examples(place: Path | str) -> DataError:
    """What to raise where no record is a tf.Example with features."""
    return DataError(f"Expected tf.Examples with features in '{place}'. Received: records of something else.")


def batches(place: Path | str, reject: Callable[[Reject], None]) -> Iterator[pa.RecordBatch]:
    """The tf.Examples of all files, some at once, with the features that they have, each a list a row; tells of records that are none.

    Raises:
      ConfigError: there is no such file.
      DataError: a file that is no sound TFRecord file.
    """
    for name, path in files_at(place, SUFFIXES, "TFRecord files").items():
        for some in _some(_records(RawFile(path)), MOST_ROWS):
            for batch, records in _decoded(some, None):
                if batch is None:
                    reject(Reject(name, records[0].line, "no tf.Example"))
                else:
                    yield batch


class _Reading(NamedTuple):
    """All that reading a file needs, so that a part can be sent to a worker."""

    name: str
    path: Path
    columns: dict[str, pa.DataType]
    orders: Mapping[str, cells.TimeOrder]
    kinds: dict[str, pa.DataType]
    digest: str


def _read(reading: _Reading, reject: Callable[[Reject], None]) -> Iterator[Rows]:
    """As `Part.read`."""
    file = RawFile(reading.path)
    schema = _schema(reading.kinds)
    for some in _some(_records(file), MOST_ROWS):
        for batch, records in _decoded(some, schema):
            if batch is None:
                reject(Reject(reading.name, records[0].line, "no tf.Example, or one with features of other types than the first ones have"))
                continue
            columns = {
                name: one_a_row(batch.column(batch.schema.get_field_index(name)), kind, reading.orders.get(name, "year_first"))
                for name, kind in reading.columns.items()
            }
            rows = good_rows(reading.name, columns, np.array([record.line for record in records], np.int64), reject)
            if len(rows.lines):
                yield rows
    check_unchanged(reading.path, reading.digest, file.digest)


class _Record(NamedTuple):
    line: int
    data: bytes


def _records(file: RawFile) -> Iterator[_Record]:
    """The records, numbered from 1.

    Raises:
      DataError: one is cut short or has another checksum; names it and the unpacked offset where it begins.
    """
    blocks = file.blocks()
    buffer, at, offset = b"", 0, 0
    for number in itertools.count(1):
        head_end = at + _HEAD.size
        buffer, at, head_end = _filled(buffer, at, head_end, blocks)
        if at == len(buffer):
            return
        if len(buffer) < head_end:
            raise _broken(file, number, offset, "truncated", f"the file ends at offset {file.offset:,}")
        length, checksum = _HEAD.unpack_from(buffer, at)
        if _masked(buffer[at : at + 8]) != checksum:
            if number == 1:
                raise DataError(f"Expected a TFRecord file. Received '{file.path}', which is something else, or corrupt at its beginning.")
            raise _broken(file, number, offset, "corrupt", "another checksum of its length")
        if length > _MOST_RECORD:
            raise _broken(file, number, offset, "too large", f"{length:,} bytes, more than {_MOST_RECORD:,}")
        buffer, at, end = _filled(buffer, at, at + _HEAD.size + length + _TAIL.size, blocks)
        if len(buffer) < end:
            raise _broken(file, number, offset, "truncated", f"the file ends at offset {file.offset:,}")
        data = buffer[at + _HEAD.size : end - _TAIL.size]
        if _masked(data) != _TAIL.unpack_from(buffer, end - _TAIL.size)[0]:
            raise _broken(file, number, offset, "corrupt", "another checksum of its bytes")
        yield _Record(number, data)
        offset, at = offset + end - at, end


def _filled(buffer: bytes, at: int, end: int, blocks: Iterator[bytes]) -> tuple[bytes, int, int]:
    """(the buffer, with blocks added until it reaches `end` where there are any, and the two places in it)."""
    if end <= len(buffer):
        return buffer, at, end
    pieces, size = [buffer[at:]], len(buffer) - at
    while size < end - at and (block := next(blocks, b"")):
        pieces.append(block)
        size += len(block)
    return b"".join(pieces), 0, end - at


def _masked(data: bytes) -> int:
    """The checksum as TFRecords have it."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _broken(file: RawFile, number: int, offset: int, what: str, cause: str) -> DataError:
    where = f"record {number:,}, at offset {offset:,}"
    return DataError(f"Expected a sound TFRecord file. Received '{file.path}', whose {where}, is {what}: {cause}. {_MORE}")


def _some(records: Iterable[_Record], most: int) -> Iterator[list[_Record]]:
    """At most `most` records and, where there is more than one, MOST_BYTES at a time."""
    some: list[_Record] = []
    size = 0
    for record in records:
        if some and (len(some) == most or size + len(record.data) > MOST_BYTES):
            yield some
            some, size = [], 0
        some.append(record)
        size += len(record.data)
    if some:
        yield some


def _schema(kinds: Mapping[str, pa.DataType]) -> bytes:
    schema = schema_pb2.Schema()
    for name, kind in kinds.items():
        known = schema_pb2.FLOAT if pa.types.is_floating(kind) else schema_pb2.INT if pa.types.is_integer(kind) else schema_pb2.BYTES
        schema.feature.add(name=name, type=known)
    return schema.SerializeToString()


def _decoded(records: list[_Record], schema: bytes | None) -> Iterator[tuple[pa.RecordBatch | None, list[_Record]]]:
    """All at once; where that fails, halves, down to the record that is wrong, which has no batch."""
    decoder = example_coder.ExamplesToRecordBatchDecoder(schema)  # a new one: what has failed once keeps rows of that
    try:
        yield decoder.DecodeBatch([record.data for record in records]), records
    except (ValueError, RuntimeError):
        if len(records) == 1:
            yield None, records
            return
        half = len(records) // 2
        yield from _decoded(records[:half], schema)
        yield from _decoded(records[half:], schema)


def one_a_row(lists: pa.Array, wanted: pa.DataType, order: cells.TimeOrder = "year_first") -> Column:
    """A feature's values, a list a row, as `wanted`; a row with several is wrong where that is no list."""
    if is_list(wanted):
        return converted(lists, wanted, order)
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    wrong = {row: f"{lengths[row]:,} values instead of one" for row in np.flatnonzero(lengths > 1).tolist()}
    starts = np.cumsum(lengths) - lengths
    column = converted(lists.flatten().take(pa.array(starts, mask=lengths == 0)), wanted, order)
    return Column(column.values, column.wrong | wrong)
