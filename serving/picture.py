"""PNG and JPEG files by their bytes: whether a model's graph can decode one, as far as that can be told without the graph.

What is refused here is what TensorFlow's `decode_image` refuses for any model: another format, a missing end, a wrong checksum of a PNG's
chunk, a JPEG process that libjpeg does not have. Whether four components (CMYK) will do depends on the model: only its answer tells.
Other formats are made PNG files by `sendable`.
"""

import importlib.util
import io
import struct
import zlib
from collections.abc import Iterator

from serving.errors import InputFileError

CMYK_HINT = " It is a JPEG of four components (CMYK): save it as RGB."
PNG_START, JPEG_START = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}  # baseline, extended and progressive, by Huffman or arithmetic coding
_OTHER_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF}  # lossless, hierarchical
_SCAN = 0xDA
_ALONE = {0x00, 0x01, *range(0xD0, 0xD9), 0xFF}  # markers without content, and no markers


def check_picture(name: str, content: bytes) -> bytes:
    """The bytes, if they are a whole PNG or JPEG file. Raises InputFileError, which names it."""
    if content.startswith(PNG_START):
        fault = _png_fault(content)
    elif content.startswith(JPEG_START):
        fault = _jpeg_fault(content)
    else:
        others = " WebP, BMP and GIF need Pillow here." if importlib.util.find_spec("PIL") is None else ""
        raise InputFileError(f"{name}: expected a PNG or JPEG image. Received {len(content)} bytes of something else.{others}")
    if fault:
        raise InputFileError(f"{name}: expected a whole PNG or JPEG image. Received a damaged one ({fault}).")
    return content


def sendable(content: bytes) -> bytes:
    """A WebP, BMP or GIF file's first frame as a PNG file, upright and above white, as pictures are in training; any other file unchanged.

    Unchanged as well where Pillow is not installed, or cannot read it: what the model says of it is told.
    """
    if not content.startswith((b"RIFF", b"BM", b"GIF8")):
        return content
    try:
        from PIL import Image, ImageOps
    except ImportError:
        return content
    file = io.BytesIO()
    try:
        with Image.open(io.BytesIO(content), formats=("WEBP", "BMP", "GIF")) as opened:
            above = ImageOps.exif_transpose(opened).convert("RGBA")
            Image.alpha_composite(Image.new("RGBA", above.size, "white"), above).convert("RGB").save(file, "PNG")
    except Exception:  # noqa: BLE001 - Pillow's decoders raise whatever a broken file leads them into
        return content
    return file.getvalue()


def is_cmyk(content: bytes) -> bool:
    """Whether it is a JPEG of four components, which a graph decodes to three channels but not to one."""
    return content.startswith(JPEG_START) and any(marker in _FRAMES and part[5:6] == b"\x04" for marker, part, _ in _jpeg_parts(content))


def _png_fault(content: bytes) -> str:
    position = len(PNG_START)
    while position + 12 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, position)
        end = position + 12 + size
        if end > len(content):
            break
        if zlib.crc32(memoryview(content)[position + 4 : end - 4]) != int.from_bytes(content[end - 4 : end], "big"):
            if kind[0:1].isupper():  # an optional chunk is passed over, with its damage
                return f"the checksum of its chunk {kind.decode('latin-1')} is wrong"
        elif kind == b"IEND":
            return ""
        position = end
    return "it ends too early"


def _jpeg_fault(content: bytes) -> str:
    frame = None
    for marker, part, end in _jpeg_parts(content):
        if marker in _OTHER_FRAMES:
            return "it is of a kind that is not decoded, such as lossless JPEG"
        if marker in _FRAMES:
            frame = part
            if frame[:1] != b"\x08":
                return "it has more than 8 bits a sample"
        if marker == _SCAN and frame:
            return "" if content.find(_JPEG_END, end) > 0 else "it ends too early"
    return "it ends too early"


def _jpeg_parts(content: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Marker, content and end of each part up to the first scan; what lies between two parts is passed over, as libjpeg does."""
    position = 2
    while 0 <= (position := content.find(b"\xff", position)) < len(content) - 3:
        marker, size = content[position + 1], int.from_bytes(content[position + 2 : position + 4], "big")
        if marker in _ALONE:
            position += 1
            continue
        end = position + 2 + size
        yield marker, content[position + 4 : end], end
        if marker == _SCAN:
            return
        position = end
