"""Turns rows of any format into gzipped TFRecords of tf.Examples, a batch at a time, on Beam.

open and check every file -> is it what the cache's key says? -> for each part: for each batch of rows: assign splits, encode
-> one shard a batch and split
"""

import dataclasses
import itertools
import json
import os
import re
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils

from components.example_gen import duplicates, left_out, origin, row_weights, series, source, spans, split
from components.example_gen import examples as tf_examples
from components.example_gen.assignment import Assignment, only
from components.example_gen.columns import Columns
from components.example_gen.config import DataConfig
from components.example_gen.image_columns import PICTURE_LABEL
from components.example_gen.left_out import Written
from components.example_gen.readers.rows import Part, Rows, place
from trainer.errors import DataError
from trainer.features import names

_DIGEST = re.compile("[0-9a-f]{64}")


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
            assignment = Assignment.of(parts, config.splits, columns)
            hashes = os.path.join(examples.uri, "hashes") if duplicates.are_possible(config.splits, parts) else None
            write_shards = _WriteShards(folders, assignment, hashes)
            emptied = [*folders.values(), *([hashes] if hashes else [])]
            written = self._write(parts, emptied, write_shards, os.path.join(examples.uri, "rows.json"))
        read = list(dict.fromkeys(part.span for part in parts if part.span))
        found = duplicates.settle(folders, hashes, config.splits.duplicates == "drop") if hashes else {}
        dropped = {name: each.dropped for name, each in found.items()}
        rows = {name: sum(each.rows for each in written if each.split == name) - dropped.get(name, 0) for name in split.SPLITS}
        # First: why a split may be empty.
        notes = left_out.notes(written, sum(each.rows for each in written), config.max_unreadable) + duplicates.notes(found)
        notes += series.notes(config)
        for name, count in rows.items():
            if not count:
                gone = f" but {dropped[name]:,} that are in an earlier split too" if dropped.get(name) else ""
                more = f" {' '.join(notes)}" if notes else ""
                raise DataError(
                    f"Expected rows in the split '{name}'. Received none of {sum(rows.values()):,}{gone}.{more} "
                    "Give more data or other `data.splits`."
                )
            examples.set_int_custom_property(f"rows_{name}", count)
        if columns.weight:
            weightless = {name: sum(each.weightless for each in written if each.split == name) for name in split.SPLITS}
            row_weights.check_some_count(columns.weight, rows, weightless, (split.TRAIN, split.EVAL))
        origin.note(examples.uri, config, columns, fingerprint)
        if read:
            notes.insert(0, spans.note(read, config.path or ""))
            _name_spans(examples, read)
        if found:
            examples.set_string_custom_property("duplicates", duplicates.to_json(found))
        if notes:
            examples.set_string_custom_property("notes", json.dumps(notes, ensure_ascii=False))

    def _write(self, parts: list[Part], folders: list[str], write_shards: beam.DoFn, note: str) -> list[Written]:
        """What was written, counted from the shards; a metric counts a retried bundle twice on some runners.

        `note` is a file that is gone afterwards, where the workers and this process can reach it.
        """
        for folder in folders:
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


def _name_spans(examples: types.Artifact, read: list[spans.Span]) -> None:
    """The newest span and its version under TFX's own names, by which its resolvers look, and all of them as JSON."""
    examples.set_int_custom_property("span", read[-1].number)
    if read[-1].version is not None:
        examples.set_int_custom_property("version", read[-1].version)
    examples.set_string_custom_property("spans", json.dumps([{"span": span.number, "version": span.version} for span in read]))


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

    def __init__(self, folders: dict[str, str], assignment: Assignment, hashes: str | None = None) -> None:
        """`hashes` is the folder for those of each row that `duplicates` needs, None where there can be no duplicates."""
        self._folders, self._assignment, self._hashes = folders, assignment, hashes

    def process(self, numbered: tuple[int, Part]) -> Iterator[Written]:
        index, part = numbered
        rejects = left_out.Rejects()
        try:
            shards = (f"data_tfrecord-{index:02d}-{number:05d}.gz" for number in itertools.count())
            for rows in part.read(rejects.add):  # not in `enumerate`, which keeps what it gave last
                yield from self._write(next(shards), part, rows)
                del rows  # before the next ones are read
        except DataError as error:
            yield Written(problem=str(error))
        yield Written(rejected=rejects.count, examples=rejects.examples)

    def _write(self, name: str, part: Part, rows: Rows) -> Iterator[Written]:
        batch, splits, lacking = self._assignment.assigned(rows, part.split)
        for column, is_missing in lacking.items():
            first = np.flatnonzero(is_missing)[: left_out.MOST_NAMED].tolist()
            yield left_out.without(column, int(is_missing.sum()), [place(part, rows, number) for number in first])
        hashes, weight = self._hashes_of(rows, batch) if self._hashes else None, self._assignment.columns.weight
        for split_name, folder in self._folders.items():
            numbers = np.flatnonzero(splits == split_name)
            if not len(numbers):
                continue
            with tf.io.TFRecordWriter(os.path.join(folder, name), tf_examples.OPTIONS) as file:
                for example in tf_examples.encode(batch.take(pa.array(numbers))):
                    file.write(example)
            if self._hashes and hashes is not None:
                duplicates.write(hashes[numbers], self._hashes, split_name, name)
            weightless = pc.sum(pc.equal(batch.column(weight).take(pa.array(numbers)), 0.0)).as_py() if weight else 0
            yield Written(split=split_name, rows=len(numbers), weightless=weightless)

    def _hashes_of(self, rows: Rows, batch: pa.RecordBatch) -> np.ndarray:
        """As `duplicates.hashes`; a picture's own hash is that of its pixels or file, without the label. A weight is neither."""
        label = self._assignment.columns.label or (PICTURE_LABEL if PICTURE_LABEL in batch.schema.names else names.IMAGE_LABEL)
        features = rows.hashes
        if features is None:
            features = split.hashes_of_rows(
                only(batch, [name for name in batch.schema.names if name not in (label, self._assignment.columns.weight)])
            )
        return duplicates.hashes(features, batch.column(label))


def _write_json(value: list[Written], path: str) -> None:
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(json.dumps([dataclasses.asdict(each) for each in value]))
