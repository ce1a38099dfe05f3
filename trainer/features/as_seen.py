"""Picture files as people see them, inside of the graph: upright, without transparency, without CMYK.

What TensorFlow's decoders pass over. The ingestion makes its pictures so (`components.example_gen.readers.picture`), and those pass here
unchanged; this is for callers, who send files as a phone or a website has them.

JPEG -> where it says CMYK: RGB, as PNG                  -> pixels -> turned and mirrored as its EXIF says
PNG  -> where pixels may be transparent: above white, as PNG
Most files are nothing of that, which is told of all of a batch together: what follows costs as much as decoding a small picture.
"""

from __future__ import annotations

from collections.abc import Callable

from trainer.lazy import tf

JPEG_START, PNG_START = b"\xff\xd8\xff", b"\x89PN"
_CMYK = 4  # channels
_COLOR_TYPE = 25  # where a PNG's header says it
_ALPHA_TYPES = (4, 6)  # beside grey, beside RGB
_HEADER_BYTES = 1 << 16  # EXIF is the first thing in a file, and no longer; transparent colours are named before the pixels
_EXIF = b"Exif\0\0"
_ORIENTATION = 0x0112
_ENTRY_BYTES, _MOST_ENTRIES = 12, 128
_MAY_DIFFER = r"\C{25}[\x04\x06]\C*|\C*(Exif\x00\x00|tRNS)\C*"  # \C is a byte; the first half is a PNG's color type


def may_differ(files: tf.Tensor) -> tf.Tensor:
    """Whether a decoder may make other pixels of a file than what is seen, CMYK aside: bool of the shape of `files`, string."""
    return tf.strings.regex_full_match(tf.strings.substr(files, 0, _HEADER_BYTES), _MAY_DIFFER)


def is_cmyk(file: tf.Tensor) -> tf.Tensor:
    """Whether a JPEG or PNG file, string (), is a JPEG in CMYK: bool ()."""
    is_jpeg = _starts(file, JPEG_START)
    return tf.cond(is_jpeg, lambda: tf.equal(tf.image.extract_jpeg_shape(file)[2], _CMYK), lambda: tf.constant(False))


def opaque(file: tf.Tensor) -> tf.Tensor:
    """A JPEG or PNG file, string (), that decodes to what is seen: white where it is transparent, RGB where it is CMYK."""
    return tf.cond(
        _starts(file, JPEG_START),
        lambda: tf.cond(is_cmyk(file), lambda: _as_png(tf.io.decode_jpeg(file, channels=3)), lambda: file),
        lambda: tf.cond(_may_be_transparent(file), lambda: _as_png(_above_white(tf.io.decode_png(file, channels=4))), lambda: file),
    )


def upright(pixels: tf.Tensor, file: tf.Tensor) -> tf.Tensor:
    """(height, width, channels) as the JPEG file, string (), says that they are looked at; those of another file as they are."""
    orientation = tf.cond(_starts(file, JPEG_START), lambda: _orientation(file), lambda: tf.constant(1, tf.int64))

    def where(orientations: tuple[int, ...], change: Callable[[tf.Tensor], tf.Tensor], pixels: tf.Tensor) -> tf.Tensor:
        return tf.cond(tf.reduce_any(tf.equal(orientation, orientations)), lambda: change(pixels), lambda: pixels)

    pixels = where((5, 6, 7, 8), lambda pixels: tf.transpose(pixels, (1, 0, 2)), pixels)
    pixels = where((3, 4, 7, 8), lambda pixels: tf.reverse(pixels, [0]), pixels)
    return where((2, 3, 6, 7), lambda pixels: tf.reverse(pixels, [1]), pixels)


def _starts(file: tf.Tensor, start: bytes) -> tf.Tensor:
    return tf.equal(tf.strings.substr(file, 0, len(start)), start)


def _as_png(pixels: tf.Tensor) -> tf.Tensor:
    return tf.io.encode_png(pixels, compression=0)


def _may_be_transparent(png: tf.Tensor) -> tf.Tensor:
    """Whether its pixels have an alpha channel, or a colour or a palette's entries are said to be transparent."""
    header = tf.io.decode_raw(tf.strings.substr(png, 0, _HEADER_BYTES), tf.uint8)
    color_type = tf.reduce_max(header[_COLOR_TYPE : _COLOR_TYPE + 1])
    return tf.reduce_any(tf.equal(color_type, _ALPHA_TYPES)) | tf.reduce_any(_places(header, dict(enumerate(b"tRNS"))))


def _places(header: tf.Tensor, bytes_at: dict[int, int]) -> tf.Tensor:
    """Whether these bytes, by their offset, stand at each place of a header, integers (n,): bool (m,)."""
    count = tf.maximum(tf.size(header) - max(bytes_at), 0)
    return tf.reduce_all([tf.equal(header[offset : offset + count], value) for offset, value in bytes_at.items()], axis=0)


def _above_white(pixels: tf.Tensor) -> tf.Tensor:
    """uint8 (height, width, 3) of uint8 (height, width, 4)."""
    wide = tf.cast(pixels, tf.int32)
    colors, alpha = wide[..., :3], wide[..., 3:]
    return tf.cast((colors * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)


def _orientation(jpeg: tf.Tensor) -> tf.Tensor:
    """EXIF's, from 1, upright, to 8, int64 (); 1 where there is none."""
    header = tf.cast(tf.io.decode_raw(tf.strings.substr(jpeg, 0, _HEADER_BYTES), tf.uint8), tf.int64)
    size = tf.size(header, tf.int64)

    def byte(at: tf.Tensor) -> tf.Tensor:
        return tf.where((at >= 0) & (at < size), tf.gather(header, tf.clip_by_value(at, 0, size - 1)), 0)

    # FF E1, two bytes of length, and EXIF's name; in the first place that has them.
    marks = {0: 0xFF, 1: 0xE1, **dict(enumerate(_EXIF, 4))}
    start = tf.reduce_min(tf.concat([tf.reshape(tf.where(_places(header, marks)), [-1]), [size]], axis=0)) + 4 + len(_EXIF)
    is_little = tf.equal(byte(start), ord("I"))

    def number(at: tf.Tensor, width: int) -> tf.Tensor:
        total = tf.zeros_like(at)
        for place in range(width):
            power = tf.where(is_little, place, width - 1 - place)
            total += tf.bitwise.left_shift(byte(at + place), tf.cast(8 * power, tf.int64))
        return total

    directory = start + number(start + 4, 4)
    entries = directory + 2 + _ENTRY_BYTES * tf.range(tf.minimum(number(directory, 2), _MOST_ENTRIES))
    values = tf.boolean_mask(number(entries + 8, 2), tf.equal(number(entries, 2), _ORIENTATION))
    value = tf.concat([values, [1]], axis=0)[0]
    return tf.where((value >= 1) & (value <= 8), value, 1)
