"""Turns labelled images into gzipped TFRecords of tf.Examples, a chunk at a time, on Beam.

open and check every file -> is it what the cache's key says? -> for each part: for each chunk: encode PNG, assign splits
-> one shard a chunk and split
"""

import json
import os
import re
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils

from components.example_gen import source, split
from components.example_gen.config import DataConfig, SplitsConfig
from components.example_gen.labelled_images import Chunk, Part
from trainer.errors import DataError
from trainer.features import names

ROWS_PER_SHARD = 10_000
BYTES_PER_SHARD = 1 << 26  # of pixels; what is in memory at a time, however large images are
_DIGEST = re.compile("[0-9a-f]{64}")
_COMPRESSION = 3  # zlib's; on MNIST smaller and a third faster than the default of 6


class Executor(base_beam_executor.BaseBeamExecutor):
    """Writes the TFRecords of the splits train, eval and test.

    A shard is a chunk's rows of one split in their original order: equal data gives equal files, however many workers
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
    """(number, part) -> for each chunk, a file for each split it has rows of; gives (split, rows written, "").

    Of data that cannot be read it gives ("", 0, why), because Beam makes another exception of whatever is raised here.
    """

    def __init__(self, folders: dict[str, str], weights: SplitsConfig, has_official_test: bool) -> None:
        self._folders, self._weights, self._has_official_test = folders, weights, has_official_test

    def process(self, numbered: tuple[int, Part]) -> Iterator[tuple[str, int, str]]:
        index, part = numbered
        try:
            for number, chunk in enumerate(part.chunks(rows_per_shard(part))):
                yield from self._write(f"data_tfrecord-{index:02d}-{number:05d}.gz", part.split, chunk)
                del chunk  # before the next one is read
        except DataError as error:
            yield "", 0, str(error)

    def _write(self, name: str, official: str | None, chunk: Chunk) -> Iterator[tuple[str, int, str]]:
        images = chunk.images
        names = np.full(len(images), official) if official else split.assign(images, self._weights, self._has_official_test)
        pngs = encode_png(images)
        for split_name, folder in self._folders.items():
            rows = np.flatnonzero(names == split_name)
            if not len(rows):
                continue
            with tf.io.TFRecordWriter(os.path.join(folder, name), "GZIP") as file:
                for row in rows:
                    file.write(to_example(pngs[row], images.shape[1:3], int(chunk.labels[row])).SerializeToString(deterministic=True))
            yield split_name, len(rows), ""


def rows_per_shard(part: Part) -> int:
    """At most ROWS_PER_SHARD rows, at most BYTES_PER_SHARD of pixels, and at least one row."""
    return max(1, min(ROWS_PER_SHARD, BYTES_PER_SHARD // part.row_bytes))


@tf.function(input_signature=[tf.TensorSpec((None, None, None, None), tf.uint8)])
def _encode_png(images: tf.Tensor) -> tf.Tensor:
    return tf.io.encode_png(images, compression=_COMPRESSION)


def encode_png(images: np.ndarray) -> np.ndarray:
    """PNG files, object (rows,) of bytes, of uint8 images (rows, height, width[, 3])."""
    return _encode_png(images if images.ndim == 4 else images[..., np.newaxis]).numpy()


def to_example(png: bytes, size: tuple[int, ...], label: int) -> tf.train.Example:
    """One raw row; `size` is (height, width) in pixels."""
    values = {
        names.IMAGE: tf.train.Feature(bytes_list=tf.train.BytesList(value=[png])),
        names.IMAGE_FORMAT: tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"png"])),
        names.IMAGE_HEIGHT: tf.train.Feature(int64_list=tf.train.Int64List(value=[size[0]])),
        names.IMAGE_WIDTH: tf.train.Feature(int64_list=tf.train.Int64List(value=[size[1]])),
        names.IMAGE_LABEL: tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    return tf.train.Example(features=tf.train.Features(feature=values))


def _write_json(value: list[tuple[str, int, str]], path: str) -> None:
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(json.dumps(value))
