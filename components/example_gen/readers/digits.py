"""Reads scikit-learn's bundled digits: 1,797 real handwritten digits of 8x8 pixels, no download."""

from collections.abc import Iterator

import numpy as np

from components.example_gen.readers.labelled_images import Chunk, LabelledImages

ROWS = 1797


def open_images() -> list[LabelledImages]:
    """The one part there is; rows are divided by hash."""
    return [LabelledImages(name="digits", split=None, rows=ROWS, row_bytes=64, files={}, chunks=_chunks)]


def _chunks(rows_per_chunk: int) -> Iterator[Chunk]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    # The bundled pixels are 0..16; an 8-bit image uses 0..255.
    images = np.minimum(digits.images * 16, 255).astype(np.uint8)
    labels = digits.target.astype(np.int64)
    for start in range(0, len(images), rows_per_chunk):
        yield Chunk(images[start : start + rows_per_chunk], labels[start : start + rows_per_chunk])
