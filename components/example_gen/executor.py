"""Turns rows of any format into gzipped TFRecords of tf.Examples, a batch at a time, on Beam.

open and check every file -> is it what the cache's key says? -> for each part: for each batch of rows: assign splits, encode
-> one shard a batch and split
"""

import itertools
import json
import os
import re
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow as tf
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils

from components.example_gen import examples as tf_examples
from components.example_gen import source, split
from components.example_gen.config import DataConfig, SplitsConfig
from components.example_gen.readers.rows import Part, Reject, Rows
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
        examples = artifact_utils.get_single_instance(output_dict["examples"])
        examples.split_names = artifact_utils.encode_split_names(list(split.SPLITS))
        folders = {name: artifact_utils.get_split_uri([examples], name) for name in split.SPLITS}
        with source.open_data(config) as (parts, fingerprint):
            _check_fingerprint(fingerprint, exec_properties.get("fingerprint", ""), config)
            rows = self._write(parts, folders, config.splits, os.path.join(examples.uri, "rows.json"))
        for name in split.SPLITS:
            if not rows.get(name):
                raise DataError(
                    f"Expected rows in the split '{name}'. Received none of {sum(rows.values()):,}. Give more data or other `data.splits`."
                )
            examples.set_int_custom_property(f"rows_{name}", rows[name])

    def _write(self, parts: list[Part], folders: dict[str, str], weights: SplitsConfig, note: str) -> dict[str, int]:
        """Rows by split, counted from the shards that were written; a metric counts a retried bundle twice on some runners.

        `note` is a file that is gone afterwards, where the workers and this process can reach it.
        """
        for folder in folders.values():
            if tf.io.gfile.isdir(folder):
                tf.io.gfile.rmtree(folder)  # another try's shards would be read as this one's
            tf.io.gfile.makedirs(folder)
        has_official_test = any(part.split == split.TEST for part in parts)
        with self._make_beam_pipeline() as pipeline:
            (
                pipeline
                | "Parts" >> beam.Create(list(enumerate(parts)))
                | "WriteShards" >> beam.ParDo(_WriteShards(folders, weights, has_official_test))
                | "AllShards" >> beam.combiners.ToList()
                | "NoteRows" >> beam.Map(_write_json, note)
            )
        with tf.io.gfile.GFile(note) as file:
            written = json.load(file)
        tf.io.gfile.remove(note)
        rows = dict.fromkeys(folders, 0)
        for name, count, problem in written:
            if problem:
                raise DataError(problem)
            rows[name] += count
        return rows


def _check_fingerprint(read: str, promised: str, config: DataConfig) -> None:
    """What is cached under a digest must be of that digest; any other text is a name that somebody has given to data out of reach."""
    if _DIGEST.fullmatch(promised) and read != promised:
        raise DataError(
            f"Expected the data whose fingerprint was taken when the run began, {promised[:12]}. "
            f"Received: {read[:12]} in '{config.path or config.download or config.format}', which has changed since. "
            "Run again; submit a compiled package again."
        )


class _WriteShards(beam.DoFn):
    """(number, part) -> for each batch of rows, a file for each split it has rows of; gives (split, rows written, "").

    Of data that cannot be read it gives ("", 0, why), because Beam makes another exception of whatever is raised here.
    """

    def __init__(self, folders: dict[str, str], weights: SplitsConfig, has_official_test: bool) -> None:
        self._folders, self._weights, self._has_official_test = folders, weights, has_official_test

    def process(self, numbered: tuple[int, Part]) -> Iterator[tuple[str, int, str]]:
        index, part = numbered
        rejects: list[Reject] = []
        try:
            names = (f"data_tfrecord-{index:02d}-{number:05d}.gz" for number in itertools.count())
            for rows in part.read(rejects.append):  # not in `enumerate`, which keeps what it gave last
                yield from self._write(next(names), part.split, rows)
                del rows  # before the next ones are read
        except DataError as error:
            yield "", 0, str(error)

    def _write(self, name: str, official: str | None, rows: Rows) -> Iterator[tuple[str, int, str]]:
        hashes = split.hashes_of_rows(rows.batch) if rows.hashes is None else rows.hashes
        names = np.full(len(hashes), official) if official else split.assign(hashes, self._weights, self._has_official_test)
        for split_name, folder in self._folders.items():
            numbers = np.flatnonzero(names == split_name)
            if not len(numbers):
                continue
            with tf.io.TFRecordWriter(os.path.join(folder, name), _OPTIONS) as file:
                for example in tf_examples.encode(rows.batch.take(pa.array(numbers))):
                    file.write(example)
            yield split_name, len(numbers), ""


def _write_json(value: list[tuple[str, int, str]], path: str) -> None:
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(json.dumps(value))
