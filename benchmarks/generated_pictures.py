"""Class folders of photo-like pictures, JPEG or PNG, and a zip archive of such a folder; equal calls give equal files."""

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

_CLASSES, _SIDE = ("cat", "dog", "owl"), 256


def write_folder(folder: Path, kind: str, count: int) -> Path:
    """Writes `count` RGB pictures of 256 x 256 pixels in three class folders; `kind` is JPEG or PNG."""
    for number in range(count):
        place = folder / _CLASSES[number % len(_CLASSES)]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.{'jpg' if kind == 'JPEG' else 'png'}").write_bytes(_file(number, kind))
    return folder


def write_zip(archive: Path, folder: Path) -> Path:
    """Packs the folder's files, as they are."""
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted(folder.rglob("*.*")):
            packed.write(path, path.relative_to(folder))
    return archive


def _file(number: int, kind: str) -> bytes:
    """Smooth shapes with some noise: photographs are neither flat nor noise only."""
    random = np.random.default_rng(number)
    coarse = Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8)).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    pixels = np.asarray(coarse, np.int16) + random.integers(-8, 9, (_SIDE, _SIDE, 3), np.int16)
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, kind, **({"quality": 90} if kind == "JPEG" else {}))
    return file.getvalue()
