"""Reads IDX, the file format of MNIST: a magic number, the counts, then bytes; gzipped or not.

find the files -> check headers and lengths -> read images and labels side by side in chunks -> are they what was checked?
"""

import dataclasses
import functools
import gzip
import hashlib
import math
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np

from components.example_gen import raw_files
from components.example_gen.config import MAX_IMAGE_PIXELS
from components.example_gen.readers.labelled_images import Chunk, LabelledImages
from components.example_gen.readers.raw_file import Hashed, unsound_gzip
from trainer.errors import DataError

IMAGES_MAGIC = 0x00000803  # 0x08 is uint8, 0x03 the number of dimensions
LABELS_MAGIC = 0x00000801
_KINDS = {IMAGES_MAGIC: "grey images, uint8 (rows, height, width),", LABELS_MAGIC: "labels, uint8 (rows,),"}
_DTYPES = {0x08: "uint8", 0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
_BEGINNINGS = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8": "a JPEG picture",
    b"PK": "a ZIP archive",
    b"\x93NUM": "a NumPy array",
    b"<": "a web page",
}
_COPY_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True)
class Header:
    """An IDX file's shape and where its bytes begin."""

    shape: tuple[int, ...]
    offset: int

    @property
    def item_bytes(self) -> int:
        """Bytes of one row."""
        return math.prod(self.shape[1:])  # not NumPy's: a broken header's sizes overflow int64


def open_images(folder: str, max_image_pixels: int = MAX_IMAGE_PIXELS) -> list[LabelledImages]:
    """The train files as one part and, where they are there, the official test files as another.

    Every file is read through once here, so that a broken one stops the run before anything is written.

    Raises:
      ConfigError: the folder or a file is missing.
      DataError: a wrong magic number, images of more than `max_image_pixels`, a truncated or overlong file, or counts that differ; names
        file and offset.
    """
    pairs = raw_files.find_idx(folder)
    return [_open_pair(images, labels, split, max_image_pixels) for split, images, labels in pairs]


def _open_pair(images: Path, labels: Path, split: str | None, max_image_pixels: int) -> LabelledImages:
    with _File(images) as image_file, _File(labels) as label_file:
        image_header, label_header = read_header(image_file, IMAGES_MAGIC), read_header(label_file, LABELS_MAGIC)
        if image_header.shape[0] != label_header.shape[0]:
            raise DataError(
                f"Expected as many labels as images. Received: {image_header.shape[0]:,} images (offset 4 of '{images}') and "
                f"{label_header.shape[0]:,} labels (offset 4 of '{labels}'). Check that the two files belong together."
            )
        if image_header.item_bytes > max_image_pixels:
            height, width = image_header.shape[1:]
            raise DataError(
                f"Expected images of at most {max_image_pixels:,} pixels (`data.max_image_pixels`) in '{images}'. "
                f"Received: {height:,} x {width:,} at offset 8. Copy or download it again; if that is right, raise `data.max_image_pixels`."
            )
        for file, header in ((image_file, image_header), (label_file, label_header)):
            check_length(file, header)
        checked = [_Checked(image_file.path, image_header, image_file.digest), _Checked(label_file.path, label_header, label_file.digest)]
    return LabelledImages(
        name=images.name,
        split=split,
        rows=image_header.shape[0],
        row_bytes=image_header.item_bytes,
        files={file.path.name: file.digest for file in checked},
        chunks=functools.partial(_chunks, *checked),
    )


class _File:
    """An IDX file's bytes in order, unpacked where it is gzipped, and the sha256 of the file itself as far as it was read."""

    def __init__(self, path: Path) -> None:
        self.path, self.offset = path, 0
        self._file = path.open("rb")
        self._sha256 = hashlib.sha256()
        self._raw = Hashed(self._file, self._sha256)
        self.is_zipped = self._file.peek(2)[:2] == b"\x1f\x8b"  # by content: browsers unpack downloads but keep the name
        self._bytes = gzip.GzipFile(fileobj=self._raw, mode="rb") if self.is_zipped else self._raw  # type: ignore[arg-type]  # only read

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def digest(self) -> str:
        """Of the whole file once `read` has given nothing."""
        return self._sha256.hexdigest()

    @property
    def size(self) -> int:
        """Of the file itself, in bytes."""
        return os.fstat(self._file.fileno()).st_size

    def read(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end. Raises DataError for a gzip file that is not sound."""
        try:
            block = self._bytes.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise unsound_gzip(self.path, self.offset, error) from error
        self.offset += len(block)
        return block


@dataclasses.dataclass(frozen=True)
class _Checked:
    """A file that is sound, and the sha256 that it must still have when its rows are read."""

    path: Path
    header: Header
    digest: str


def read_header(file: _File, magic: int) -> Header:
    """The header that an IDX file begins with.

    Raises:
      DataError: the file holds something else than `magic` says, or ends inside its header.
    """
    path, dims = file.path, magic & 0xFF
    raw = file.read(4 * (1 + dims))
    if len(raw) < 4:
        raise DataError(f"Expected an IDX header of {4 * (1 + dims)} bytes in '{path}'. Received: {len(raw)} bytes.")
    if struct.unpack(">I", raw[:4])[0] != magic:
        raise DataError(f"Expected {_KINDS[magic]} in '{path}'. Received: {_other(raw[:4], magic)}")
    if len(raw) < 4 * (1 + dims):
        raise DataError(f"Expected an IDX header of {4 * (1 + dims)} bytes in '{path}'. The file ends at offset {len(raw)}.")
    shape = struct.unpack(f">{dims}I", raw[4:])
    if 0 in shape:
        raise DataError(f"Expected at least one row and pixel in '{path}'. Received the shape {shape} at offset 4.")
    return Header(shape, len(raw))


def _other(start: bytes, magic: int) -> str:
    """What a file that begins with `start` holds, and what to do about it, in sentences."""
    known = next((name for beginning, name in _BEGINNINGS.items() if start.startswith(beginning)), "")
    dtype, dims = _DTYPES.get(start[2]), start[3]
    if known or start[:2] != b"\0\0" or dtype is None or not dims:
        return f"{known or f'a file that begins with the bytes {start.hex(chr(32))}'}, which is not IDX. Copy or download it again."
    what = {1: "labels", 3: "images", 4: "colour images"}.get(dims, f"rows of {dims} dimensions")
    if (dims != 1 and magic == LABELS_MAGIC) or (dims == 1 and magic == IMAGES_MAGIC):
        todo = "Check the names of the two files." if dims in (1, 3) else "Save one label a row, as uint8 (rows,)."
    elif dims == 4:
        todo = "Convert them to grey, uint8 (rows, height, width)."
    else:
        todo = "Save them as uint8, 0 to 255." if dims in (1, 3) else "Save them as uint8 (rows, height, width)."
    return f"{dtype} {what}. {todo}"


def check_length(file: _File, header: Header) -> None:
    """Reads `file`, whose header has been read, to its end and compares its length with what the header says.

    Raises:
      DataError: the file is truncated, too long or not a sound gzip file; offsets count uncompressed bytes.
    """
    expected = header.offset + header.shape[0] * header.item_bytes
    while file.offset < expected and file.read(min(_COPY_BYTES, expected - file.offset)):
        pass
    if file.offset < expected:
        row = max(0, file.offset - header.offset) // header.item_bytes
        where = f"The file ends at offset {file.offset:,}, in row {row:,}"
    elif file.read(1):  # and no more: what follows may unpack to any size
        where = f"{'More' if file.is_zipped else f'{file.size - expected:,}'} bytes follow offset {expected:,}"
    else:
        return
    raise DataError(
        f"Expected {expected:,} bytes in '{file.path}' ({header.shape[0]:,} rows of {header.item_bytes:,}). {where}. "
        "Copy or download it again."
    )


def _chunks(images: _Checked, labels: _Checked, rows_per_chunk: int) -> Iterator[Chunk]:
    """Raises DataError where a file is no longer what was checked, at the latest behind its last row."""
    shape = images.header.shape
    with _File(images.path) as image_file, _File(labels.path) as label_file:
        image_file.read(images.header.offset)
        label_file.read(labels.header.offset)
        for start in range(0, shape[0], rows_per_chunk):
            rows = min(rows_per_chunk, shape[0] - start)
            pixels = np.frombuffer(image_file.read(rows * images.header.item_bytes), np.uint8)
            numbers = np.frombuffer(label_file.read(rows), np.uint8)
            if len(pixels) != rows * images.header.item_bytes or len(numbers) != rows:
                raise _changed(images if len(numbers) == rows else labels)
            yield Chunk(pixels.reshape(rows, *shape[1:]), numbers.astype(np.int64))
            del pixels  # before the next ones are read
        for checked, file in ((images, image_file), (labels, label_file)):
            if file.read(1) or file.digest != checked.digest:
                raise _changed(checked)


def _changed(file: _Checked) -> DataError:
    return DataError(f"Expected '{file.path}' to stay as it is while it is read. Received: another content than a moment ago. Run again.")
