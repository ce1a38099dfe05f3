"""Images in numbered classes, as bare pixels without files of their own -> rows with each image as a PNG file."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pyarrow as pa

from components.example_gen import split
from components.example_gen.readers.binary_column import binary_column
from components.example_gen.readers.rows import MOST_BYTES, MOST_ROWS, Part, Reject, Rows
from trainer.features import names
from trainer.lazy import tf

_COMPRESSION = 3  # zlib's; on MNIST smaller and a third faster than the default of 6


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Neighbouring rows of one part.

    Attributes:
      images: uint8 (rows, height, width) for grey, (rows, height, width, 3) for RGB.
      labels: int64 (rows,).
    """

    images: np.ndarray
    labels: np.ndarray


@dataclasses.dataclass(frozen=True)
class LabelledImages:
    """One part of the raw data.

    Attributes:
      name: the file or folder, for people.
      split: the official split this part is (`test`), or None where rows are divided by a hash of their content.
      rows: how many there are, known without reading them.
      row_bytes: bytes of one row's image.
      files: sha256 (hexadecimal) by name of the raw files, in the order of `raw_files.files`; empty for bundled data.
      chunks: reads them in order, at most `rows_per_chunk` at a time; `chunks(rows_per_chunk)`. Raises DataError, at the latest behind
        the last row, where a file is not the one in `files`.
    """

    name: str
    split: str | None
    rows: int
    row_bytes: int
    files: Mapping[str, str]
    chunks: Callable[[int], Iterator[Chunk]]


def part(images: LabelledImages) -> Part:
    """The rows: `names.IMAGE` as a PNG file, what it is, its size in pixels, and `names.IMAGE_LABEL`."""
    return Part(images.split, images.name, images.files, functools.partial(_read, images))


def rows_at_once(row_bytes: int) -> int:
    """At most MOST_ROWS, at most MOST_BYTES of pixels, and at least one."""
    return max(1, min(MOST_ROWS, MOST_BYTES // row_bytes))


def _read(images: LabelledImages, reject: Callable[[Reject], None]) -> Iterator[Rows]:
    del reject  # a file of bare pixels is sound, or it is not
    row = 1
    for chunk in images.chunks(rows_at_once(images.row_bytes)):
        count = len(chunk.labels)
        yield Rows(_batch(chunk), np.arange(row, row + count), images.name, split.hashes_of_images(chunk.images))
        row += count
        del chunk  # before the next one is read


def _batch(chunk: Chunk) -> pa.RecordBatch:
    count, height, width = chunk.images.shape[:3]
    columns = {
        names.IMAGE: binary_column(list(encode_png(chunk.images))),
        names.IMAGE_FORMAT: pa.array([b"png"] * count, pa.binary()),
        names.IMAGE_HEIGHT: pa.array(np.full(count, height, np.int64)),
        names.IMAGE_WIDTH: pa.array(np.full(count, width, np.int64)),
        names.IMAGE_LABEL: pa.array(chunk.labels),
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def encode_png(images: np.ndarray) -> np.ndarray:
    """PNG files, object (rows,) of bytes, of uint8 images (rows, height, width[, 3])."""
    return _encoder()(images if images.ndim == 4 else images[..., np.newaxis]).numpy()


@functools.cache
def _encoder() -> Callable[[np.ndarray], tf.Tensor]:
    """One graph for all sizes, so that nothing is traced anew for each batch."""
    signature = [tf.TensorSpec((None, None, None, None), tf.uint8)]
    return tf.function(lambda images: tf.io.encode_png(images, compression=_COMPRESSION), input_signature=signature)
