"""Normalising picture files: what stays as it is, what becomes what, and why a file is refused."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.example_gen.readers import picture
from components.example_gen.readers.picture import PictureError, PictureSettings, normalised

RNG = np.random.default_rng(0)
PHOTO = Image.fromarray(RNG.integers(0, 256, (6, 10, 3), np.uint8)).resize((100, 60), Image.Resampling.BICUBIC)


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def decoded(data, **settings):
    """The pixels that TensorFlow's graph makes of the normalised file."""
    return tf.io.decode_image(normalised(data, PictureSettings(**settings)), expand_animations=False).numpy()


def reason(data, **settings):
    with pytest.raises(PictureError) as caught:
        normalised(data, PictureSettings(**settings))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_plain_jpeg_or_png_stays_byte_for_byte(kind, mode):
    for options in ({}, {"progressive": True} if kind == "JPEG" else {"optimize": True}):
        data = saved(PHOTO.convert(mode), kind, **options)
        assert normalised(data, PictureSettings()) is data
        assert decoded(data).shape == (60, 100, len(mode))


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (PHOTO, "BMP"),
        (PHOTO, "WEBP"),
        (PHOTO.quantize(16), "GIF"),
        (PHOTO.quantize(16), "PNG"),
        (PHOTO.convert("1"), "PNG"),
        (PHOTO.convert("1"), "BMP"),
        (PHOTO.convert("L"), "BMP"),
        (PHOTO.convert("CMYK"), "JPEG"),
    ],
    ids=["BMP", "WebP", "GIF", "palette", "one bit", "one bit BMP", "grey BMP", "CMYK"],
)
def test_every_other_format_and_mode_becomes_a_png_of_the_pixels_that_are_seen(image, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(image, kind, **options)
    assert normalised(data, PictureSettings()).startswith(b"\x89PNG")
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("L" if image.mode in {"1", "L"} else "RGB"))
    np.testing.assert_array_equal(decoded(data).squeeze(), expected)


def test_of_an_animation_the_first_frame_is_read():
    frames = [Image.new("RGB", (4, 3), color) for color in ("red", "blue", "lime")]
    for kind in ("GIF", "WEBP"):
        pixels = decoded(saved(frames[0], kind, save_all=True, append_images=frames[1:], **({"lossless": True} if kind == "WEBP" else {})))
        np.testing.assert_array_equal(pixels, np.full((3, 4, 3), (255, 0, 0)))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_what_is_transparent_is_white_whatever_colour_hides_under_it(kind):
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0, 0] = (10, 20, 30, 255)
    pixels[0, 1] = (0, 0, 0, 51)  # a fifth of black on white
    expected = np.full((2, 2, 3), 255)
    expected[0] = [(10, 20, 30), (204, 204, 204)]
    data = saved(Image.fromarray(pixels), kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))
    np.testing.assert_array_equal(decoded(data), expected)


def test_a_transparent_colour_without_an_alpha_channel_is_white_too():
    palette = saved(Image.new("RGB", (2, 2), "blue").quantize(4), "GIF", transparency=0)
    np.testing.assert_array_equal(decoded(palette), np.full((2, 2, 3), 255))
    np.testing.assert_array_equal(decoded(saved(Image.new("RGB", (2, 2), "blue"), "PNG", transparency=(0, 0, 255)))[..., 0], 255)
    grey = Image.fromarray(np.array([[[0, 0], [7, 255]]], np.uint8), "LA")
    np.testing.assert_array_equal(decoded(saved(grey, "PNG")), [[[255], [7]]])


def test_of_16_bits_the_upper_8_are_kept():
    deep = np.array([[0, 255, 256], [32768, 65280, 65535]], np.uint16)
    data = saved(Image.fromarray(deep), "PNG")
    np.testing.assert_array_equal(decoded(data)[..., 0], deep >> 8)
    color = _png(np.stack([deep] * 3, axis=-1).astype(">u2").tobytes(), 3, 2, depth=16, kind=2)
    assert normalised(color, PictureSettings()) != color
    np.testing.assert_array_equal(decoded(color), np.stack([deep >> 8] * 3, axis=-1))


def _png(pixels, width, height, depth=8, kind=0, size=None):
    """A PNG written by hand; `size` is what the header says where that is something else."""
    stride = len(pixels) // height if height else 0
    lines = b"".join(b"\0" + pixels[row * stride : (row + 1) * stride] for row in range(height))

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", *(size or (width, height)), depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_turned_as_its_exif_says(kind, orientation):
    upright = np.zeros((16, 32), np.uint8)
    upright[:8, :16], upright[:8, 16:], upright[8:, :16] = 255, 170, 85  # a corner each
    turns = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),
        7: upright.T[::-1, ::-1],
        8: np.rot90(upright, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.fromarray(turns[orientation]).convert("RGB"), kind, exif=exif, quality=100)
    pixels = decoded(data)
    assert pixels.shape == (16, 32, 3)
    np.testing.assert_allclose(pixels[..., 0].astype(int), upright, atol=6)
    assert (normalised(data, PictureSettings()) is data) == (orientation == 1 and kind != "WEBP")


def test_exif_that_is_broken_turns_nothing():
    data = saved(PHOTO, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + bytes(10))
    assert normalised(data, PictureSettings()) is data


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "WEBP"])
def test_a_file_that_is_cut_anywhere_is_refused(kind):
    data = saved(PHOTO.quantize(8) if kind == "GIF" else PHOTO, kind)
    for end in (3, 20, len(data) // 2, len(data) - 40, len(data) - 9, len(data) - 3):
        if kind == "GIF" and end == len(data) - 3:
            continue  # all pixels are there
        assert reason(data[:end]).startswith(("truncated or corrupt: ", "truncated: ", "no picture")), end


def test_a_progressive_jpeg_without_its_last_scans_is_refused():
    data = saved(PHOTO, "JPEG", progressive=True)
    assert "truncated" in reason(data[: len(data) * 9 // 10])


def test_a_png_with_a_flipped_bit_is_refused_as_tensorflow_would_do():
    data = bytearray(saved(PHOTO, "PNG"))
    data[-30] ^= 1  # behind the last pixels, where Pillow does not look
    assert reason(bytes(data)).startswith("corrupt: another checksum at offset ")
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.io.decode_image(bytes(data))


def test_what_is_no_picture_is_told_by_name():
    assert reason(b"") == "an empty file"
    assert reason(b"hello") == "no picture, not JPEG, PNG, WebP, BMP or GIF"
    assert reason(saved(PHOTO, "TIFF")) == "a TIFF picture, not JPEG, PNG, WebP, BMP or GIF"
    assert reason(b"\0\0\0\x18ftypheic" + bytes(20)) == "a HEIC picture, not JPEG, PNG, WebP, BMP or GIF"
    assert reason(b"<!DOCTYPE html><p>404") == "a web page, not JPEG, PNG, WebP, BMP or GIF"


def test_a_small_file_of_many_pixels_is_refused_by_its_header():
    """The pixels are not even there: whoever decoded first would say so."""
    bomb = _png(b"", 0, 0, size=(8000, 5000))
    assert reason(bomb, max_pixels=1 << 24) == "5,000 x 8,000 pixels, more than 16,777,216"
    assert reason(_png(b"", 0, 0, size=(60_000, 60_000))) == "more pixels than 67,108,864"  # Pillow's own limit
    assert "pixels" not in reason(bomb)


def test_pillow_warns_of_nothing_and_its_own_limit_does_not_bound_a_larger_one(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # it warns from here on, and refuses twice as many
    many, broken = saved(PHOTO, "PNG"), saved(PHOTO, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + bytes(10))
    picture._pillow.cache_clear()
    with warnings.catch_warnings(record=True) as caught:
        assert normalised(many, PictureSettings(max_pixels=6000)) is many
        assert normalised(broken, PictureSettings(max_pixels=6000)) is broken
        assert reason(many, max_pixels=5999) == "60 x 100 pixels, more than 5,999"
    assert caught == []
