"""The images that every side is asked about: 28 x 28, seeded, a fifth of the pixels lit as in a handwritten digit."""

import functools
import io

import numpy as np
from PIL import Image

_LIT = 0.2


@functools.cache
def pixels(rows: int) -> np.ndarray:
    """The first `rows` images, uint8 (rows, 28, 28, 1)."""
    random = np.random.default_rng(28)
    lit = random.random((rows, 28, 28, 1)) < _LIT
    return np.where(lit, random.integers(1, 256, lit.shape), 0).astype(np.uint8)


@functools.cache
def pngs(rows: int) -> list[bytes]:
    """The same images as PNG files."""
    return [_png(image[:, :, 0]) for image in pixels(rows)]


def _png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()
