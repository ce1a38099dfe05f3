"""What every reader gives: labelled images of one part of the data, in chunks, so that memory does not grow with the data."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping

import numpy as np


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
class Part:
    """One part of the raw data, read whole by one worker.

    Attributes:
      split: the official split this part is (`test`), or None where rows are divided by a hash of their content.
      rows: how many there are, known without reading them.
      row_bytes: bytes of one row's image.
      files: sha256 (hexadecimal) by name of the raw files, in the order of `raw_files.files`; empty for bundled data.
      chunks: reads them in order, at most `rows_per_chunk` at a time; `chunks(rows_per_chunk)`. Raises DataError, at the latest behind
        the last row, where a file is not the one in `files`.
    """

    split: str | None
    rows: int
    row_bytes: int
    files: Mapping[str, str]
    chunks: Callable[[int], Iterator[Chunk]]
