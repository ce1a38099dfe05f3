"""One picture file, checked to its end, as TensorFlow's graph can decode it.

its size by the header -> sound to the end? -> a plain JPEG or PNG stays as it is, byte for byte
                                            -> any other: upright, 8 bits, grey or RGB -> PNG
"""

import dataclasses
import functools
import io
import struct
import warnings
import zlib
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from components.example_gen.config import MAX_IMAGE_PIXELS
from components.example_gen.readers.encoding import binary_name

if TYPE_CHECKING:
    from PIL import Image

_FORMATS = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG", "WEBP": b"RIFF", "BMP": b"BM", "GIF": b"GIF8"}
_OTHERS = {
    b"II*\0": "a TIFF picture",
    b"MM\0*": "a TIFF picture",
    b"\0\0\1\0": "an icon",
    b"<svg": "an SVG drawing",
    b"<?xml": "an XML file",
    b"8BPS": "a Photoshop file",
}
_COMPRESSION = 3  # zlib's, as in labelled_images.py
_WHITE = (255, 255, 255, 255)


@dataclasses.dataclass(frozen=True)
class PictureSettings:
    """What is read of a picture.

    Attributes:
      max_pixels: height times width; a file that declares more is refused before it is decoded.
      max_bytes: of one file, unpacked.
    """

    max_pixels: int = MAX_IMAGE_PIXELS
    max_bytes: int = 1 << 28


class PictureError(Exception):
    """Why a file cannot be read as a picture, as the reason of a Reject."""


def normalised(data: bytes, settings: PictureSettings) -> bytes:
    """A JPEG or PNG file of the first frame, with 8 bits a channel, grey or RGB, upright as its EXIF says.

    What is seen through transparent pixels is white: most such pictures were made for white pages, and the colours under them are
    arbitrary. A file that is all this is given back as it is; a JPEG is decoded for that at an eighth of its size, which still reads
    all of it.

    Raises:
      PictureError: it is no picture of a known format, truncated, corrupt or too large.
    """
    image = _pillow(settings.max_pixels)
    try:
        with image.open(io.BytesIO(data), formats=tuple(_FORMATS)) as picture:
            return _normalised(picture, data, settings)
    except (PictureError, MemoryError):
        raise
    except image.DecompressionBombError as error:
        raise PictureError(f"more pixels than {settings.max_pixels:,}") from error
    except Exception as error:  # Pillow's decoders raise whatever a broken file leads them into
        raise PictureError(_reason(data, error)) from error


@functools.cache
def _pillow(max_pixels: int) -> ModuleType:
    """`PIL.Image`, imported when it is first needed, with its own limit raised where `max_pixels` is more."""
    from PIL import Image

    warnings.filterwarnings("ignore", module=r"PIL\.")  # what matters in a picture is told by a Reject, what does not by nobody
    if Image.MAX_IMAGE_PIXELS is not None:
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, max_pixels)
    return Image


def _reason(data: bytes, error: Exception) -> str:
    if not data:
        return "an empty file"
    if data.startswith(tuple(_FORMATS.values())):
        cause = "its header cannot be read" if type(error).__name__ == "UnidentifiedImageError" else str(error).rstrip(".")
        return f"truncated or corrupt: {' '.join(cause.split()) or type(error).__name__}"
    start = data[:1024].lstrip()
    other = next((name for beginning, name in _OTHERS.items() if start.startswith(beginning) or data.startswith(beginning)), "")
    if data[4:8] == b"ftyp":
        other = {b"avif": "an AVIF picture", b"heic": "a HEIC picture", b"heix": "a HEIC picture"}.get(data[8:12], "a video")
    return f"{other or binary_name(data[:4096]) or 'no picture'}, not JPEG, PNG, WebP, BMP or GIF"


def _normalised(picture: "Image.Image", data: bytes, settings: PictureSettings) -> bytes:
    width, height = picture.size
    if width * height > settings.max_pixels:
        raise PictureError(f"{height:,} x {width:,} pixels, more than {settings.max_pixels:,}")
    if not width * height:
        raise PictureError("no pixels")
    is_jpeg, is_png = picture.format in {"JPEG", "MPO"}, picture.format == "PNG"
    if is_png:
        _check_chunks(data)
    orientation = _orientation(picture)
    is_plain = picture.mode in {"L", "RGB"} and "transparency" not in picture.info and (is_jpeg or (is_png and _is_plain_png(data)))
    if is_plain and orientation == 1:
        picture.draft("L", (1, 1))  # of a JPEG only
        picture.load()
        return data
    picture.load()
    file = io.BytesIO()
    _turned(_eight_bits(picture), orientation).save(file, "PNG", compress_level=_COMPRESSION)
    return file.getvalue()


def _check_chunks(data: bytes) -> None:
    """Raises PictureError where a PNG ends early or a chunk that matters is not what it was: Pillow does not look."""
    view, at = memoryview(data), 8
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            break
        if kind[0] < ord("a") and zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise PictureError(f"corrupt: another checksum at offset {at:,}")
        if kind == b"IEND":
            return
        at = end
    raise PictureError(f"truncated: the file ends at offset {len(data):,}")


def _is_plain_png(data: bytes) -> bool:
    """Whether its pixels are 8 bits of grey or RGB; Pillow tells them as if 1 or 16 bits were 8."""
    depth, color = data[24:26]
    return depth == 8 and color in {0, 2}


def _orientation(picture: "Image.Image") -> int:
    """EXIF's, from 1, upright, to 8; 1 where none can be read."""
    try:
        value = picture.getexif().get(0x0112, 1)
    except Exception:  # noqa: BLE001 - Pillow raises whatever broken EXIF leads to, and that says nothing of the pixels
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _eight_bits(picture: "Image.Image") -> "Image.Image":
    """Mode L or RGB."""
    from PIL import Image

    if picture.mode.startswith("I"):
        deep = np.asarray(picture)
        return Image.fromarray((np.clip(deep, 0, 65535) >> 8).astype(np.uint8))
    is_grey = picture.mode in {"1", "L", "LA", "La"}
    if "transparency" in picture.info or picture.mode in {"RGBA", "LA", "PA", "RGBa", "La"}:
        above = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", above.size, _WHITE), above)
    return picture.convert("L" if is_grey else "RGB")


def _turned(picture: "Image.Image", orientation: int) -> "Image.Image":
    from PIL.Image import Transpose

    turns = [
        Transpose.FLIP_LEFT_RIGHT,
        Transpose.ROTATE_180,
        Transpose.FLIP_TOP_BOTTOM,
        Transpose.TRANSPOSE,
        Transpose.ROTATE_270,
        Transpose.TRANSVERSE,
        Transpose.ROTATE_90,
    ]
    return picture if orientation == 1 else picture.transpose(turns[orientation - 2])
