"""Where the MNIST files are, and smaller copies of them."""

import gzip
import os
import shutil
import struct
from pathlib import Path
from typing import IO

from components.example_gen import download, raw_files

VARIABLE = "TAPELINE_MNIST"


def folder() -> Path:
    """The folder that TAPELINE_MNIST names, `shared/data/mnist` beside the checkout, or the download's cache."""
    beside = Path(__file__).resolve().parents[2] / "shared/data/mnist"
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE])
    return beside if beside.is_dir() else download.fetch("mnist")


def first_rows(source: Path, target: Path, train: int, test: int) -> Path:
    """Writes IDX files with the first `train` and `test` rows of those in `source` to `target`, unzipped."""
    target.mkdir(parents=True)
    for split, images, labels in raw_files.find_idx(str(source)):
        rows = test if split else train
        for path, header_bytes in ((images, 16), (labels, 8)):
            _cut(path, target / path.name.removesuffix(".gz"), header_bytes, rows)
    return target


def _cut(source: Path, target: Path, header_bytes: int, rows: int) -> None:
    with gzip.open(source) as packed, target.open("wb") as file:
        header = packed.read(header_bytes)
        shape = struct.unpack(f">{header_bytes // 4 - 2}I", header[8:])
        row_bytes = shape[0] * shape[1] if shape else 1
        file.write(header[:4] + struct.pack(">I", rows) + header[8:])
        shutil.copyfileobj(_Limited(packed, rows * row_bytes), file)


class _Limited:
    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size

    def read(self, size: int) -> bytes:
        block = self._file.read(min(size, self._left))
        self._left -= len(block)
        return block
