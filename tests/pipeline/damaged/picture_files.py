"""Folders of pictures of which some are damaged, or are in the wrong place."""

import functools
import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.pipeline.damaged.case import Case

_CLASSES, _EACH = ("cat", "dog"), 15
ROWS = len(_CLASSES) * _EACH


def picture(number: int, kind: str = "PNG", mode: str = "RGB", size: tuple[int, int] = (8, 8), **options: object) -> bytes:
    """A picture whose pixels are its number's own."""
    pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), np.uint8)
    data = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(data, kind, **options)
    return data.getvalue()


@functools.cache
def _large(width: int, height: int) -> bytes:
    """A PNG of these many black pixels, which are a thousand times as many as its bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + width // 8)) for _ in range(height)) + packer.flush()
    head = chunk(b"IHDR", struct.pack(">2I5B", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _animated() -> bytes:
    frames = [Image.fromarray(np.full((8, 8, 3), shade, np.uint8)) for shade in (0, 99, 200)]
    data = io.BytesIO()
    frames[0].save(data, "GIF", save_all=True, append_images=frames[1:])
    return data.getvalue()


def _deep() -> bytes:
    data = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 65535, (8, 8), np.uint16)).save(data, "PNG")
    return data.getvalue()


def _flipped(at: int) -> bytes:
    data = bytearray(picture(0, size=(64, 64)))
    data[at] ^= 0xFF
    return bytes(data)


def write(folder: Path, classes: tuple[str, ...] = _CLASSES) -> Path:
    """Sound pictures in class folders."""
    for place, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for number in range(_EACH):
            (folder / name / f"{number}.png").write_bytes(picture(place * _EACH + number))
    return folder


def _beside(name: str, content: bytes | Callable[[], bytes], init: str, ingest: str, what: str, **more: object) -> Case:
    """Sound pictures, and one more file of this name."""

    def make(folder: Path) -> Path:
        path = write(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content() if callable(content) else content)
        return folder

    return Case(what, make, "images", init, ingest, **more)


def _changed(what: str, init: str, ingest: str, change: Callable[[Path], object], **more: object) -> Case:
    def make(folder: Path) -> Path:
        change(write(folder))
        return folder

    return Case(what, make, "images", init, ingest, **more)


def _only(what: str, init: str, ingest: str, files: dict[str, bytes], **more: object) -> Case:
    def make(folder: Path) -> Path:
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder

    return Case(what, make, "images", init, ingest, **more)


def _linked_outside(folder: Path) -> None:
    (folder.parent / "birds").mkdir()
    for number in range(_EACH):
        (folder.parent / "birds" / f"{number}.png").write_bytes(picture(100 + number))
    (folder / "bird").symlink_to("../birds")


_JPEG = picture(99, "JPEG", size=(64, 64))
_EXIF = picture(99, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage")
CASES = [
    _changed("sound", "0", f"0 {ROWS}", lambda folder: None),
    _beside("dog/cut.jpg", _JPEG[: len(_JPEG) // 2], "0 cannot be read", "1", "a JPEG cut in half"),
    _beside("dog/cut.jpg", _JPEG[:30], "0 cannot be read", "1", "a JPEG cut in its header"),
    _beside("dog/cut.jpg", _JPEG[:-2], "0 cannot be read", "1", "a JPEG without its last two bytes"),
    _beside("dog/cut.png", picture(99)[:-40], "0 cannot be read", "1", "a PNG cut at its end"),
    _beside("dog/cut.png", picture(99)[:12], "0 cannot be read", "1", "a PNG cut in its header"),
    _beside("dog/odd.png", lambda: _flipped(200), "0 cannot be read", "1", "a PNG with a wrong byte in its pixels"),
    _beside("dog/odd.png", lambda: _flipped(18), "0 cannot be read", "1", "a PNG with a wrong byte in its size"),
    _beside("dog/odd.png", b"", "0 cannot be read", "1", "an empty file"),
    _beside("dog/odd.png", b"no picture", "0 cannot be read", "1", "text named .png"),
    _beside("dog/odd.png", b"<!DOCTYPE html><html></html>", "0 cannot be read", "1", "a web page named .png"),
    _beside(
        "dog/odd.png", b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 9\n", "0 cannot be read", "1", "a Git LFS pointer"
    ),
    _beside("dog/odd.jpg", picture(99), "0", f"0 {ROWS + 1}", "a PNG named .jpg"),
    _beside("dog/odd.jpg", b"II*\0" + bytes(99), "0 cannot be read", "1", "a TIFF named .jpg"),
    _beside("dog/large.png", lambda: _large(8000, 5000), "0", f"0 {ROWS + 1}", "40 megapixels in 50 KB, which are allowed"),
    _beside(
        "dog/large.png",
        lambda: _large(8000, 5000),
        "0",
        "1",
        "40 megapixels in 50 KB, more than are allowed",
        data={"max_image_pixels": 1 << 20},
    ),
    _beside("dog/large.png", lambda: _large(80_000, 5000), "0 cannot be read", "1", "400 megapixels in 50 KB"),
    _beside("dog/odd.gif", _animated, "0", f"0 {ROWS + 1}", "an animated GIF"),
    _beside("dog/odd.jpg", picture(99, "JPEG", "CMYK"), "0", f"0 {ROWS + 1}", "a CMYK JPEG"),
    _beside("dog/odd.png", _deep, "0", f"0 {ROWS + 1}", "16 bits a pixel"),
    _beside("dog/odd.png", picture(99, mode="RGBA"), "0", f"0 {ROWS + 1}", "transparency"),
    _beside("dog/odd.png", picture(99, mode="1"), "0", f"0 {ROWS + 1}", "one bit a pixel"),
    _beside("dog/odd.png", picture(99, mode="P"), "0", f"0 {ROWS + 1}", "a palette"),
    _beside("dog/odd.jpg", _EXIF, "0", f"0 {ROWS + 1}", "broken EXIF"),
    _beside("dog/odd.webp", picture(99, "WEBP")[:-20], "0 cannot be read", "1", "a WebP cut at its end"),
    _beside("dog/odd.bmp", picture(99, "BMP")[:-20], "0 cannot be read", "1", "a BMP cut at its end"),
    _beside("dog/a\nb.png", picture(99), "0", "1", "a name with a line end"),
    _beside("notes.txt", b"notes", "0", f"0 {ROWS}", "a text beside class folders"),
    _beside("one.png", picture(99), "0", f"0 {ROWS}", "a picture beside class folders"),
    _beside("dog/Thumbs.db", b"db", "0", f"0 {ROWS}", "a file of Windows's own"),
    _beside("bird/one.png", picture(99), "0 fewer than", f"0 {ROWS + 1}", "a class with one picture"),
    _beside("bird/one.png", b"", "0 cannot be read", "1", "a class whose only picture is broken"),
    _changed("an empty class folder", "0", f"0 {ROWS}", lambda folder: (folder / "bird").mkdir()),
    _changed("a link to a class folder outside", "0", f"0 {ROWS + 15}", _linked_outside),
    _changed("a link to the folder itself", "0", f"0 {ROWS}", lambda folder: (folder / "cat" / "all").symlink_to(folder)),
    _changed("a link to nothing", "0 cannot be read", "1", lambda folder: (folder / "dog" / "x.png").symlink_to("nothing.png")),
    _changed("a link to itself", "0 cannot be read", "1", lambda folder: (folder / "dog" / "x.png").symlink_to("x.png")),
    _changed("a FIFO", "0 cannot be read", "1", lambda folder: os.mkfifo(folder / "dog" / "x.png")),
    _changed("a link to a device", "0 cannot be read", "1", lambda folder: (folder / "dog" / "x.png").symlink_to("/dev/zero")),
    _changed("a folder named like a picture", "0", f"0 {ROWS}", lambda folder: (folder / "dog" / "x.png").mkdir()),
    _only("one class", "2", "1", {f"cat/{number}.png": picture(number) for number in range(3)}),
    _only("pictures without class folders", "1", "1", {f"{number}.png": picture(number) for number in range(3)}),
    _only(
        "only splits, without classes",
        "1",
        "1",
        {f"{name}/{number}.png": picture(number) for number in range(3) for name in ("train", "test")},
    ),
    _only("no pictures", "2", "1", {"cat/notes.txt": b"notes", "dog/notes.txt": b"notes"}),
    _only("no picture that can be read", "1", "1", {f"{name}/{number}.png": b"" for number in range(3) for name in _CLASSES}),
    _only("only pictures of 0 bytes and text", "1", "1", {"cat/1.png": b"", "dog/1.png": b"text"}),
    _only(
        "a split without a class of the train split",
        "0",
        "0 40",
        {
            f"{split}/{name}/{number}.png": picture(hash((split, name, number)) % 9999)
            for split in ("train", "val", "test")
            for name in _CLASSES
            for number in range(8)
            if (split, name) != ("test", "dog")
        },
    ),
    _only(
        "a class that the train split lacks",
        "0 without a picture in the train split",
        "0 16",
        {
            **{f"train/{name}/{number}.png": picture(number) for name in _CLASSES for number in range(6)},
            **{f"{split}/{name}/1.png": picture(77) for split in ("val", "test") for name in ("cat", "bird")},
        },
    ),
    _only(
        "prefixes of splits that some lack",
        "0",
        "1",
        {f"{name}/{number}.png": picture(number) for name in _CLASSES for number in range(3)},
        data={"splits": {"prefixes": True}},
    ),
    Case("an empty folder", lambda folder: folder, "images", "2", "1"),
    Case("not there", lambda folder: folder / "pictures.zip", "images", "2", "2"),
]
