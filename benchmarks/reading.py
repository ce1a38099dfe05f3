"""Reads one table or folder of pictures to its end, with this project's reader or with what people would use instead.

`python -m benchmarks.reading SIDE FORMAT PATH TIMES` reads it once to warm up and then TIMES times, and prints
{"rows": ..., "seconds": ..., "cpu_seconds": ...}, the least of each: what others do on the machine only adds to it.
SIDE is `tapeline` or `reference`, FORMAT one of READERS.
"""

import json
import os
import sys
import time
import zipfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, NamedTuple

import pandas as pd
import pyarrow as pa
from PIL import Image

from benchmarks import generated_table
from components.example_gen.readers import csv_file, image_files, json_lines, parquet_file
from components.example_gen.readers.dialect import Dialect
from components.example_gen.readers.rows import Part


class Reader(NamedTuple):
    """Both sides of a format; each takes a path and gives how many rows it has read.

    Attributes:
      reference: for people, what `alone` is.
      at_least: the bar of the ratio of rows a second, None where there is none.
    """

    ours: Callable[[Path], int]
    alone: Callable[[Path], int]
    reference: str
    at_least: float | None


def _types() -> dict[str, pa.DataType]:
    texts = (*generated_table.CATEGORIES, generated_table.TEXT, generated_table.LABEL)
    return dict.fromkeys(generated_table.NUMBERS, pa.float64()) | dict.fromkeys(texts, pa.string())


def _rows(parts: Iterable[Part]) -> int:
    """Reads all of them; data that was made for this has no row that is left out."""
    rejects: list[object] = []
    count = sum(rows.batch.num_rows for part in parts for rows in part.read(rejects.append))
    if rejects:
        raise SystemExit(f"Expected no rows that are left out. Received: {rejects[0]}.")
    return count


def _csv(path: Path) -> int:
    with path.open(encoding="utf-8") as file:
        names = file.readline().rstrip("\n").split(",")
    return _rows(csv_file.open_csv([path], Dialect(), {name: kind for name, kind in _types().items() if name in names}))


def _pictures(path: Path) -> int:
    return _rows(image_files.open_images(path))


def _pillow_folder(folder: Path) -> int:
    return _decoded(sorted(path for path in folder.rglob("*") if path.is_file()))


def _pillow_zip(archive: Path) -> int:
    with zipfile.ZipFile(archive) as packed:
        return _decoded(map(packed.open, packed.namelist()))


def _decoded(files: Iterable[Path | IO[bytes]]) -> int:
    """Pictures decoded, in as many threads as the reader has: what it costs to know that a picture is sound."""
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        return sum(pool.map(_decode, files))


def _decode(file: Path | IO[bytes]) -> int:
    with Image.open(file) as picture:
        picture.convert("RGB")
    return 1


READERS = {
    "csv": Reader(_csv, lambda path: len(pd.read_csv(path)), "`pandas.read_csv`", 1.0),
    "parquet": Reader(
        lambda path: _rows(parquet_file.open_parquet(path, _types())),
        lambda path: len(pd.read_parquet(path)),
        "`pandas.read_parquet`",
        None,
    ),
    "jsonl": Reader(
        lambda path: _rows(json_lines.open_json_lines(path, _types())),
        lambda path: len(pd.read_json(path, lines=True)),
        "`pandas.read_json(lines=True)`",
        None,
    ),
    "folder": Reader(_pictures, _pillow_folder, "Pillow, `open` and `convert`", 0.8),
    "zip": Reader(_pictures, _pillow_zip, "Pillow and `zipfile`", 0.8),
}


def measure(read: Callable[[Path], int], path: Path, times: int) -> dict[str, float]:
    """Rows, and the least seconds and CPU seconds of reading `path`; the first time, for imports and the disk, is not counted."""
    rows = read(path)
    seconds, cpu_seconds = [], []
    for _ in range(times):
        began, cpu_began = time.perf_counter(), time.process_time()
        read(path)
        cpu_seconds.append(time.process_time() - cpu_began)
        seconds.append(time.perf_counter() - began)
    return {"rows": rows, "seconds": min(seconds), "cpu_seconds": min(cpu_seconds)}


if __name__ == "__main__":
    side, kind, place, count = sys.argv[1:]
    reader = READERS[kind]
    print(json.dumps(measure(reader.ours if side == "tapeline" else reader.alone, Path(place), int(count))))
