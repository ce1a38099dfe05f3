"""A picture that a caller sends as a phone or a website has it is seen by the model as the ingestion has made it for training."""

import functools
import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.example_gen.readers.picture import PictureSettings, normalised
from trainer.features import names
from trainer.features.image import decoded

SIZE = (12, 20)
ORIENTATION = 0x0112
JPEG = 8  # levels by which Pillow and TensorFlow may decode it differently


def colours(height=SIZE[0], width=SIZE[1], channels=3):
    """Another colour in each corner, in smooth steps, which JPEG keeps."""
    rows, columns = np.mgrid[0 : 1 : complex(height), 0 : 1 : complex(width)]
    return (np.stack([rows, columns, 1 - rows, 0.2 + 0.8 * columns][:channels], axis=-1) * 255).astype(np.uint8)


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned(orientation, **options):
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    exif[ORIENTATION] = orientation
    exif[0x0110] = "a model"
    return saved(Image.fromarray(colours()), "JPEG", exif=exif, subsampling=0, quality=95, **options)


@functools.cache  # to trace it takes longer than a picture
def graph(channels, size):
    files = tf.TensorSpec((None,), tf.string)
    return tf.function(lambda files: decoded(files, names.IMAGE, size, channels), autograph=False).get_concrete_function(files)


def seen(file, channels=3, size=SIZE):
    return graph(channels, size)(tf.constant([file]))[0].numpy().astype(int)


def trained_on(file, channels=3, size=SIZE):
    return seen(normalised(file, PictureSettings()), channels, size)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_is_turned_as_its_exif_says(orientation):
    file = turned(orientation)
    size = SIZE if orientation < 5 else SIZE[::-1]
    np.testing.assert_allclose(seen(file, size=size), trained_on(file, size=size), atol=JPEG)
    assert orientation == 1 or np.abs(seen(file, size=size) - seen(turned(1), size=size)).max() > 100


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"II*\0",
        b"II*\0" + struct.pack("<I", 8),
        b"II*\0" + struct.pack("<I", 0xFFFFFFFF),
        b"II*\0" + struct.pack("<IH", 8, 0xFFFF) + struct.pack("<HHIHH", ORIENTATION, 3, 1, 9, 0),
        b"MM\0*" + struct.pack(">IH", 8, 1) + struct.pack(">HHIHH", ORIENTATION, 3, 1, 0, 0),
        b"??" + bytes(40),
    ],
)
def test_exif_that_cannot_be_read_or_says_no_orientation_turns_nothing(exif):
    plain = saved(Image.fromarray(colours()), "JPEG")
    file = plain[:2] + b"\xff\xe1" + struct.pack(">H", 8 + len(exif)) + b"Exif\0\0" + exif + plain[2:]
    np.testing.assert_array_equal(seen(file), seen(plain))


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_of_exif_are_read_behind_other_segments(order):
    start = b"II*\0" if order == "<" else b"MM\0*"
    exif = start + struct.pack(order + "IHHHIHH", 8, 1, ORIENTATION, 3, 1, 3, 0)
    plain = saved(Image.fromarray(colours()), "JPEG")
    behind = 4 + int.from_bytes(plain[4:6], "big") - 2 + 2  # JFIF's own segment
    file = plain[:behind] + b"\xff\xe1" + struct.pack(">H", 8 + len(exif)) + b"Exif\0\0" + exif + plain[behind:]
    np.testing.assert_array_equal(seen(file), seen(plain)[::-1, ::-1])


PICTURES = {
    "alpha": lambda: saved(Image.fromarray(colours(channels=4), "RGBA"), "PNG"),
    "grey and alpha": lambda: saved(Image.fromarray(colours(channels=2), "LA"), "PNG"),
    "a palette with a transparent colour": lambda: saved(Image.fromarray(colours()).quantize(8), "PNG", transparency=3),
    "a palette": lambda: saved(Image.fromarray(colours()).quantize(8), "PNG"),
    "RGB with a transparent colour": lambda: saved(Image.fromarray(np.full((*SIZE, 3), 9, np.uint8)), "PNG", transparency=(9, 9, 9)),
    "16 bits": lambda: saved(Image.fromarray(colours(channels=1)[..., 0].astype(np.uint16) * 257), "PNG"),
    "1 bit": lambda: saved(Image.fromarray(colours(channels=1)[..., 0] > 99), "PNG"),
    "progressive": lambda: turned(6, progressive=True),
    "CMYK": lambda: saved(Image.fromarray(colours()).convert("CMYK"), "JPEG", quality=95),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", PICTURES)
def test_transparent_deep_and_cmyk_pictures_are_what_the_ingestion_makes_of_them(name, channels):
    file = PICTURES[name]()
    np.testing.assert_allclose(seen(file, channels), trained_on(file, channels), atol=JPEG if name in {"CMYK", "progressive"} else 1)


def test_many_pictures_of_all_kinds_go_through_the_graph_together():
    files = [make() for make in PICTURES.values()] + [turned(number) for number in range(1, 9)]
    together = graph(3, SIZE)(tf.constant(files)).numpy()
    for file, pixels in zip(files, together, strict=True):
        np.testing.assert_array_equal(pixels, seen(file))
