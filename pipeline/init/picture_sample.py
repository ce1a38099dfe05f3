"""A sample of pictures, decoded: how large they are, in which formats, grey or coloured, and which cannot be read.

pictures -> as many of each class, spread over its names -> decoded as a run does -> sizes, formats, colours, thumbnails
"""

import io
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from components.example_gen.readers import image_files
from components.example_gen.readers.image_layout import Picture
from components.example_gen.readers.picture import PictureError, PictureSettings, normalised
from pipeline.init import aligned
from trainer.errors import DataError, printable

_MOST = 400
_SMALL = 64  # pixels on a side that show whether a picture has a colour


class PictureSample(NamedTuple):
    """What some pictures are.

    Attributes:
      heights: int64 (pictures,), upright, of those that can be read.
      widths: int64 (pictures,), likewise.
      formats: how many there are of each, `JPEG`.
      grey: how many have no colour, however they are stored.
      unreadable: why a picture cannot be read, with its name, for people.
      labels: of those that can be read.
      thumbnails: float32 (pictures, aligned.SIDE * aligned.SIDE), of the same.
    """

    heights: np.ndarray
    widths: np.ndarray
    formats: Counter[str]
    grey: int
    unreadable: list[str]
    labels: list[str]
    thumbnails: np.ndarray

    @property
    def channels(self) -> int:
        """1 where no picture has a colour, else 3."""
        return 1 if self.grey == len(self.heights) else 3


def read(path: Path, pictures: Iterable[Picture], settings: PictureSettings, most: int = _MOST) -> PictureSample:
    """Some of the pictures in the folder or archive `path`, about `most`, and at least one of each class.

    Raises:
      DataError: none of them can be read, or an archive is broken.
    """
    sizes, formats, grey, unreadable = [], Counter[str](), 0, []
    labels, thumbnails = [], []
    for picture, data, reason in image_files.contents(path, _some(pictures, most), settings):
        try:
            if reason:
                raise PictureError(reason)
            size, is_grey, thumbnail = _looked_at(normalised(data, settings))
        except PictureError as error:
            unreadable.append(printable(f"{picture.name}: {error}"))
            continue
        sizes.append(size)
        formats[_format(data)] += 1
        grey += is_grey
        labels.append(picture.label)
        thumbnails.append(thumbnail)
    if not sizes:
        raise DataError(f"Expected pictures that can be read in '{path}'. Received: {'; '.join(unreadable[:3])}.")
    heights, widths = np.array(sizes).T
    return PictureSample(heights, widths, formats, grey, unreadable, labels, np.stack(thumbnails))


def _some(pictures: Iterable[Picture], most: int) -> list[Picture]:
    by_class: dict[str, list[Picture]] = defaultdict(list)
    for picture in pictures:
        by_class[picture.label].append(picture)
    each = max(1, most // len(by_class))
    return [found[place] for found in by_class.values() for place in np.unique(np.linspace(0, len(found) - 1, each).astype(int))]


def _looked_at(data: bytes) -> tuple[tuple[int, int], bool, np.ndarray]:
    """((height, width), whether it is grey, its thumbnail) of a sound picture."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as picture:
        width, height = picture.size
        is_grey = picture.mode == "L"
        picture.thumbnail((_SMALL, _SMALL))
        pixels = np.asarray(picture.convert("RGB"))
        small = np.asarray(picture.convert("L").resize((aligned.SIDE, aligned.SIDE), Image.Resampling.BOX))
    return (height, width), is_grey or bool((np.ptp(pixels, axis=-1) == 0).all()), aligned.thumbnail(small)


def _format(data: bytes) -> str:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as picture:
        return {"MPO": "JPEG"}.get(picture.format or "", picture.format or "")
