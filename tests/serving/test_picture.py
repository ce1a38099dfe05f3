"""What the client takes for a whole picture, before it sends one."""

import io
import struct
import zlib

import pytest
from PIL import Image

from serving.errors import InputFileError
from serving.picture import check_picture


def _jpeg(**options):
    file = io.BytesIO()
    Image.radial_gradient("L").resize((28, 28)).convert("RGB").save(file, "JPEG", **options)
    return file.getvalue()


def _with_chunk(png, kind, content, wrong=0):
    """A PNG with another chunk behind its header."""
    chunk = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content) ^ wrong)
    return png[:33] + chunk + png[33:]


PICTURES = {
    "grey PNG": (lambda png: png, True),
    "large text": (lambda png: _with_chunk(png, b"zTXt", b"a\0\0" + zlib.compress(b"a" * 3_000_000)), True),
    "damaged text": (lambda png: _with_chunk(png, b"tEXt", b"a\0b", wrong=1), True),
    "followed by more": (lambda png: png + b"more", True),
    "no end": (lambda png: png[:-12], False),
    "half": (lambda png: png[: len(png) // 2], False),
    "wrong checksum": (lambda png: png[:50] + bytes([png[50] ^ 1]) + png[51:], False),
    "baseline JPEG": (lambda png: _jpeg(), True),
    "progressive JPEG": (lambda png: _jpeg(progressive=True), True),
    "garbage between JPEG's parts": (lambda png: _jpeg()[:20] + b"garbage" + _jpeg()[20:], True),
    "JPEG without an end": (lambda png: _jpeg()[:-2], False),
    "JPEG cut behind a thumbnail": (lambda png: b"\xff\xd8\xff\xe1\0\x06\xff\xd9ab" + _jpeg()[2:-2], False),
    "lossless JPEG": (lambda png: _jpeg().replace(b"\xff\xc0", b"\xff\xc3"), False),
    "12 bits": (lambda png: _jpeg().replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"), False),
    "GIF": (lambda png: b"GIF89a" + bytes(20), False),
}


@pytest.mark.parametrize("name", PICTURES)
def test_what_is_checked_before_sending_is_what_tensorflow_decodes(png, name):
    import tensorflow as tf

    make, decodes = PICTURES[name]
    content = make(png(1))
    try:
        tf.io.decode_image(content, 1, expand_animations=False)
        decoded = True
    except tf.errors.InvalidArgumentError:
        decoded = False
    try:
        passed = check_picture("it", content) == content
    except InputFileError:
        passed = False
    assert (decoded, passed) == (decodes, decodes)
