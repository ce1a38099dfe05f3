"""Turns rows of any format into gzipped TFRecords of tf.Examples, a batch at a time, on Beam.

open and check every file -> is it what the cache's key says? -> for each part: for each batch of rows: assign splits, encode
-> one shard a batch and split
"""

import dataclasses
import itertools
import json
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow as tf
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils

from components.example_gen import examples as tf_examples
from components.example_gen import left_out, separated, source, split, time_split
from components.example_gen.columns import Columns
from components.example_gen.config import DataConfig, SplitsConfig
from components.example_gen.left_out import Written
from components.example_gen.readers.rows import Part, Rows
from trainer.errors import DataError

_DIGEST = re.compile("[0-9a-f]{64}")
_OPTIONS = tf.io.TFRecordOptions("GZIP", compression_level=1)  # of a table's rows a sixth more bytes, written three times as fast


class Executor(base_beam_executor.BaseBeamExecutor):
    """Writes the TFRecords of the splits train, eval and test.

    A shard is a batch's rows of one split in their original order: equal data gives equal files, however many workers
    there are, and a retried bundle writes the same file again.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See the class; `exec_properties["data"]` is a DataConfig as JSON, `fingerprint` that of the data, which the cache goes by.

        Raises:
          DataError: a file cannot be read, the data is not what `fingerprint` says, or a split would be empty. TFX removes what was
            written.
        """
        config = DataConfig.from_json(exec_properties["data"])
        columns = Columns.from_json(exec_properties.get("columns", "{}"))
        examples = artifact_utils.get_single_instance(output_dict["examples"])
        examples.split_names = artifact_utils.encode_split_names(list(split.SPLITS))
        folders = {name: artifact_utils.get_split_uri([examples], name) for name in split.SPLITS}
        with source.open_data(config, columns) as (parts, fingerprint):
            _check_fingerprint(fingerprint, exec_properties.get("fingerprint", ""), config)
            latest = time_split.bounds(parts, config.splits) if config.splits.time else None
            written = self._write(
                parts, folders, _WriteShards(folders, config.splits, columns, parts, latest), os.path.join(examples.uri, "rows.json")
            )
        rows = {name: sum(each.rows for each in written if each.split == name) for name in split.SPLITS}
        for name, count in rows.items():
            if not count:
                raise DataError(
                    f"Expected rows in the split '{name}'. Received none of {sum(rows.values()):,}. Give more data or other `data.splits`."
                )
            examples.set_int_custom_property(f"rows_{name}", count)
        notes = left_out.notes(written, sum(rows.values()), config.max_unreadable, columns.label)
        if notes:
            examples.set_string_custom_property("notes", json.dumps(notes, ensure_ascii=False))

    def _write(self, parts: list[Part], folders: dict[str, str], write_shards: beam.DoFn, note: str) -> list[Written]:
        """What was written, counted from the shards; a metric counts a retried bundle twice on some runners.

        `note` is a file that is gone afterwards, where the workers and this process can reach it.
        """
        for folder in folders.values():
            if tf.io.gfile.isdir(folder):
                tf.io.gfile.rmtree(folder)  # another try's shards would be read as this one's
            tf.io.gfile.makedirs(folder)
        with self._make_beam_pipeline() as pipeline:
            (
                pipeline
                | "Parts" >> beam.Create(list(enumerate(parts)))
                | "WriteShards" >> beam.ParDo(write_shards)
                | "AllShards" >> beam.combiners.ToList()
                | "NoteRows" >> beam.Map(_write_json, note)
            )
        with tf.io.gfile.GFile(note) as file:
            written = [Written(**each) for each in json.load(file)]
        tf.io.gfile.remove(note)
        problem = next((each.problem for each in written if each.problem), None)
        if problem:
            raise DataError(problem)
        return written


def _check_fingerprint(read: str, promised: str, config: DataConfig) -> None:
    """What is cached under a digest must be of that digest; any other text is a name that somebody has given to data out of reach."""
    if _DIGEST.fullmatch(promised) and read != promised:
        raise DataError(
            f"Expected the data whose fingerprint was taken when the run began, {promised[:12]}. "
            f"Received: {read[:12]} in '{config.path or config.download or config.format}', which has changed since. "
            "Run again; submit a compiled package again."
        )


class _WriteShards(beam.DoFn):
    """(number, part) -> for each batch of rows, a file for each split it has rows of; gives what was Written, and what was left out.

    Of data that cannot be read it gives why, because Beam makes another exception of whatever is raised here.
    """

    def __init__(
        self, folders: dict[str, str], config: SplitsConfig, columns: Columns, parts: list[Part], latest: dict[str, float] | None = None
    ) -> None:
        self._folders, self._config, self._columns, self._latest = folders, config, columns, latest
        self._divided = [name for name in split.SPLITS if name not in {part.split for part in parts}]

    def process(self, numbered: tuple[int, Part]) -> Iterator[Written]:
        index, part = numbered
        rejects = left_out.Rejects()
        try:
            names = (f"data_tfrecord-{index:02d}-{number:05d}.gz" for number in itertools.count())
            for rows in part.read(rejects.add):  # not in `enumerate`, which keeps what it gave last
                yield from self._write(next(names), part.split, rows)
                del rows  # before the next ones are read
        except DataError as error:
            yield Written(problem=str(error))
        yield Written(rejected=rejects.count, examples=rejects.examples)

    def _write(self, name: str, official: str | None, rows: Rows) -> Iterator[Written]:
        names = self._splits_of(official, rows)
        batch = _only(rows.batch, self._columns.kept) if self._columns.kept else rows.batch
        if self._columns.separator:
            batch = separated.labels(batch, self._columns)
        if self._columns.label:
            labelled = np.asarray(batch.column(self._columns.label).is_valid())
            names = np.where(labelled, names, "")
            yield Written(unlabelled=int((~labelled).sum()))
        for split_name, folder in self._folders.items():
            numbers = np.flatnonzero(names == split_name)
            if not len(numbers):
                continue
            with tf.io.TFRecordWriter(os.path.join(folder, name), _OPTIONS) as file:
                for example in tf_examples.encode(batch.take(pa.array(numbers))):
                    file.write(example)
            yield Written(split=split_name, rows=len(numbers))

    def _splits_of(self, official: str | None, rows: Rows) -> np.ndarray:
        """Str (rows,)."""
        if official:
            return np.full(len(rows.lines), official)
        if self._config.column:
            named = split.named(rows.batch.column(self._config.column), self._config.column)
            unknown = np.flatnonzero(named == "")
            if len(unknown):
                value = rows.batch.column(self._config.column)[int(unknown[0])].as_py()
                raise DataError(
                    f"Expected train, eval or test in the column '{self._config.column}' (`data.splits.column`). "
                    f"Received: {value!r} in line {rows.lines[unknown[0]]} of '{rows.file}'."
                )
            return named
        if self._latest is not None:
            return time_split.assign(rows.batch.column(self._config.time), self._latest)
        if self._config.group:
            return split.assign(split.hashes_of_rows(_only(rows.batch, [self._config.group])), self._config, self._divided)
        hashes = split.hashes_of_rows(rows.batch) if rows.hashes is None else rows.hashes
        return split.assign(hashes, self._config, self._divided)


def _only(batch: pa.RecordBatch, names: Iterable[str]) -> pa.RecordBatch:
    """The columns of these names; pyarrow 10 has no `select` of its own."""
    wanted = list(names)
    return pa.RecordBatch.from_arrays([batch.column(name) for name in wanted], names=wanted)


def _write_json(value: list[Written], path: str) -> None:
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(json.dumps([dataclasses.asdict(each) for each in value]))
