"""Reads IDX, the file format of MNIST: a magic number, the counts, then bytes; gzipped or not.

find the files -> check headers and lengths -> read images and labels side by side in chunks
"""

import dataclasses
import functools
import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from components.example_gen import raw_files
from components.example_gen.labelled_images import Chunk, Part
from trainer.errors import DataError

IMAGES_MAGIC = 0x00000803  # 0x08 is uint8, 0x03 the number of dimensions
LABELS_MAGIC = 0x00000801
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


def open_parts(folder: str) -> list[Part]:
    """The train files as one part and, where they are there, the official test files as another.

    Every file is read through once here, so that a broken one stops the run before anything is written.

    Raises:
      ConfigError: the folder or a file is missing.
      DataError: a wrong magic number, a truncated or overlong file, or counts that differ; names file and offset.
    """
    pairs = raw_files.find_idx(folder)
    return [_open_part(images, labels, split) for split, images, labels in pairs]


def _open_part(images: Path, labels: Path, split: str | None) -> Part:
    image_header, label_header = read_header(images, IMAGES_MAGIC), read_header(labels, LABELS_MAGIC)
    if image_header.shape[0] != label_header.shape[0]:
        raise DataError(
            f"Expected as many labels as images. Received: {image_header.shape[0]:,} images (offset 4 of '{images}') and "
            f"{label_header.shape[0]:,} labels (offset 4 of '{labels}'). Check that the two files belong together."
        )
    for path, header in ((images, image_header), (labels, label_header)):
        check_length(path, header)
    read = functools.partial(_chunks, images, image_header, labels, label_header)
    return Part(split=split, rows=image_header.shape[0], chunks=read)


def read_header(path: Path, magic: int) -> Header:
    """The header of the IDX file at `path`.

    Raises:
      DataError: the magic number is not `magic`, or the file ends inside its header.
    """
    dims = magic & 0xFF
    with _open(path) as file:
        raw = _read(file, path, 4 * (1 + dims))
    if len(raw) < 4:
        raise DataError(f"Expected an IDX header of {4 * (1 + dims)} bytes in '{path}'. Received: {len(raw)} bytes.")
    received = struct.unpack(">I", raw[:4])[0]
    if received != magic:
        other = {IMAGES_MAGIC: " That is an image file.", LABELS_MAGIC: " That is a label file."}.get(received, "")
        kind = "images" if magic == IMAGES_MAGIC else "labels"
        raise DataError(f"Expected magic number 0x{magic:08x} ({kind}) at offset 0 of '{path}'. Received: 0x{received:08x}.{other}")
    if len(raw) < 4 * (1 + dims):
        raise DataError(f"Expected an IDX header of {4 * (1 + dims)} bytes in '{path}'. The file ends at offset {len(raw)}.")
    shape = struct.unpack(f">{dims}I", raw[4:])
    if 0 in shape:
        raise DataError(f"Expected at least one row and pixel in '{path}'. Received the shape {shape} at offset 4.")
    return Header(shape, len(raw))


def check_length(path: Path, header: Header) -> None:
    """Reads `path` through and compares its length with what the header says.

    Raises:
      DataError: the file is truncated, too long or not a sound gzip file; offsets count uncompressed bytes.
    """
    expected = header.offset + header.shape[0] * header.item_bytes
    received = 0
    with _open(path) as file:
        while block := _read(file, path, _COPY_BYTES, received):
            received += len(block)
    if received != expected:
        row = max(0, received - header.offset) // header.item_bytes
        where = (
            f"The file ends at offset {received:,}, in row {row:,}"
            if received < expected
            else f"{received - expected:,} bytes follow offset {expected:,}"
        )
        raise DataError(
            f"Expected {expected:,} bytes in '{path}' ({header.shape[0]:,} rows of {header.item_bytes:,}). {where}. "
            "Copy or download it again."
        )


def _chunks(images: Path, image_header: Header, labels: Path, label_header: Header, rows_per_chunk: int) -> Iterator[Chunk]:
    with _open(images) as image_file, _open(labels) as label_file:
        image_file.read(image_header.offset)
        label_file.read(label_header.offset)
        for start in range(0, image_header.shape[0], rows_per_chunk):
            rows = min(rows_per_chunk, image_header.shape[0] - start)
            pixels = np.frombuffer(image_file.read(rows * image_header.item_bytes), np.uint8)
            numbers = np.frombuffer(label_file.read(rows), np.uint8)
            yield Chunk(pixels.reshape(rows, *image_header.shape[1:]), numbers.astype(np.int64))


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"  # by content: browsers unpack downloads but keep the name
    return gzip.open(path, "rb") if zipped else path.open("rb")  # type: ignore[return-value]  # GzipFile reads as IO[bytes] does


def _read(file: IO[bytes], path: Path, size: int, offset: int = 0) -> bytes:
    try:
        return file.read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        cause = str(error).rstrip(".")
        raise DataError(
            f"Expected a sound gzip file. Received '{path}', which is truncated or corrupt near offset {offset:,}: {cause}. "
            "Copy or download it again."
        ) from error
