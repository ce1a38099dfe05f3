"""Damaged TFRecord and IDX files."""

import gzip
import struct
from pathlib import Path

import google_crc32c

from tests.pipeline.damaged.case import ROWS, TABLE, Case, file, row, text

_LABEL = ("--label", "y")


def _masked(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _record(data: bytes, length: int | None = None) -> bytes:
    head = struct.pack("<Q", len(data) if length is None else length)
    return head + _masked(head) + data + _masked(data)


def _example(**features) -> bytes:
    """A tf.Example; a float, a text or a list of one."""
    from tensorflow.core.example import example_pb2

    example = example_pb2.Example()
    for name, value in features.items():
        values = value if isinstance(value, list) else [value]
        feature = example.features.feature[name]
        if values and isinstance(values[0], float):
            feature.float_list.value.extend(values)
        else:
            feature.bytes_list.value.extend(each if isinstance(each, bytes) else each.encode() for each in values)
    return example.SerializeToString()


def _records(**others) -> list[bytes]:
    return [_record(_example(**{"a": float(a), "b": b, "y": y, **others})) for a, b, y in map(row, range(ROWS))]


def _case(name, content, init, ingest, suffix="tfrecord", **more):
    return Case(name, file(f"table.{suffix}", content), "tfrecord", init, ingest, **{"options": _LABEL, "columns": TABLE, **more})


def _sound() -> bytes:
    return b"".join(_records())


def _flipped(at: int) -> bytes:
    data = bytearray(_sound())
    data[at] ^= 0xFF
    return bytes(data)


def _idx(array_shape: tuple[int, ...], data: bytes, magic: int) -> bytes:
    return struct.pack(f">I{len(array_shape)}I", magic, *array_shape) + data


_IMAGES, _LABELS = _idx((ROWS, 4, 3), bytes(range(240)) * 3, 0x803), _idx((ROWS,), bytes(number % 2 for number in range(ROWS)), 0x801)


def _pair(
    name: str, images: bytes | None = _IMAGES, labels: bytes | None = _LABELS, init: str = "1", ingest: str = "1", suffix: str = ""
) -> Case:
    def make(folder: Path) -> Path:
        for kind, data in (("images-idx3", images), ("labels-idx1", labels)):
            if data is not None:
                (folder / f"train-{kind}-ubyte{suffix}").write_bytes(data)
        return folder

    return Case(name, make, "idx", init, ingest)


CASES = [
    _case("sound", _sound, "0", f"0 {ROWS}"),
    _case("empty", b"", "1", "1"),
    _case("one byte", b"\x01", "1", "1"),
    _case("cut in a record", lambda: _sound()[:-10], "1", "1"),
    _case("cut in a length", lambda: _sound() + b"\x01\x02\x03", "1", "1"),
    _case("another checksum of a record's bytes", lambda: _flipped(30), "1", "1"),
    _case("another checksum of a length", lambda: _flipped(2), "1", "1"),
    _case("another checksum of a later length", lambda: _flipped(len(_records()[0]) + 2), "1", "1"),
    _case("a length of many gigabytes", lambda: _sound() + _record(b"", 1 << 40), "1", "1"),
    _case("records that are no tf.Examples", lambda: _sound() + _record(b"\xff\xff\xff") + _record(b"\xff"), "0", "1"),
    _case("only records that are no tf.Examples", lambda: _record(b"\xff\xff\xff") * 9, "1", "1"),
    _case("only empty records", lambda: _record(b"") * 9, "1", "1"),
    _case("a feature with several values", lambda: b"".join(_records(b=["x", "y"])), "0", "1"),
    _case("a feature without values", lambda: b"".join(_records(b=[])), "0", f"0 {ROWS}"),
    _case("a label without values", lambda: b"".join(_records(y=[])), "2", "1"),
    _case("a label of several values", lambda: b"".join(_records(y=["x", "y"])), "2", "1"),
    _case(
        "a label that no record has",
        _sound,
        "2",
        "2",
        options=("--label", "z"),
        columns=TABLE.model_copy(update={"kept": {"z": "string"}, "label": "z"}),
    ),
    _case("a feature of two types", lambda: b"".join([*_records()[:30], *_records(a="word")[30:]]), "0", "1"),
    _case("bytes that are not UTF-8", lambda: b"".join(_records(b=b"\xff\xfe")), "0", "1"),
    _case("a number that is infinite", lambda: b"".join(_records(a=float("inf"))), "0", "1"),
    _case("text named .tfrecord", text(), "1", "1"),
    _case("gzip not named so, sound", lambda: gzip.compress(_sound()), "0", f"0 {ROWS}"),
    _case("not gzipped, named .gz, sound", _sound, "0", f"0 {ROWS}", "tfrecord.gz"),
    _case("gzip cut in half", lambda: gzip.compress(_sound())[:300], "1", "1", "tfrecord.gz"),
    _pair("sound", init="0", ingest=f"0 {ROWS}"),
    _pair("no labels", labels=None, init="2", ingest="2"),
    _pair("no images", images=None, init="2", ingest="2"),
    _pair("empty images", images=b""),
    _pair("empty labels", labels=b""),
    _pair("cut in the header", images=_IMAGES[:9]),
    _pair("cut in a row", images=_IMAGES[:-5]),
    _pair("bytes behind the last row", images=_IMAGES + b"more"),
    _pair("a wrong magic number", images=b"\0\0\0\0" + _IMAGES[4:]),
    _pair("images and labels exchanged", images=_LABELS, labels=_IMAGES),
    _pair("more labels than images", labels=_idx((ROWS + 1,), bytes(ROWS + 1), 0x801)),
    _pair(
        "a size of four thousand million rows",
        images=_idx((0xFFFFFFFF, 4, 3), bytes(720), 0x803),
        labels=_idx((0xFFFFFFFF,), bytes(60), 0x801),
    ),
    _pair("images of sixteen exabytes", images=_idx((ROWS, 0xFFFFFFFF, 0xFFFFFFFF), bytes(720), 0x803)),
    _pair("zero rows", images=_idx((0, 4, 3), b"", 0x803), labels=_idx((0,), b"", 0x801)),
    _pair("images of zero pixels", images=_idx((ROWS, 0, 3), b"", 0x803)),
    _pair("numbers of four bytes", images=_idx((ROWS, 4, 3), bytes(2880), 0xC03)),
    _pair("a web page", images=b"<!DOCTYPE html><html>404</html>"),
    _pair("gzip cut in half", images=gzip.compress(_IMAGES)[:50], labels=gzip.compress(_LABELS), suffix=".gz"),
    _pair("gzip with another checksum", images=gzip.compress(_IMAGES)[:-8] + bytes(8), labels=gzip.compress(_LABELS), suffix=".gz"),
    _pair("one class", labels=_idx((ROWS,), bytes(ROWS), 0x801), init="2", ingest=f"0 {ROWS}"),
    Case("a folder without files", lambda folder: folder, "idx", "2", "2"),
    Case("a file", file("train-images-idx3-ubyte", _IMAGES), "idx", None, "2"),
]
