"""The bundled digits as 8-bit images."""

import numpy as np

from components.example_gen import raw_files, source
from components.example_gen.columns import Columns
from components.example_gen.config import DataConfig
from components.example_gen.readers import digits


def test_all_1797_digits_are_8_by_8_bytes_that_use_the_whole_range():
    [part] = digits.open_images()
    chunks = list(part.chunks(1000))
    images, labels = np.concatenate([chunk.images for chunk in chunks]), np.concatenate([chunk.labels for chunk in chunks])
    assert [len(chunk.images) for chunk in chunks] == [1000, 797]
    assert (part.rows, part.split, images.shape, images.dtype, labels.dtype) == (1797, None, (1797, 8, 8), np.uint8, np.int64)
    assert (images.min(), images.max()) == (0, 255)
    assert len(np.unique(images)) == 17  # the 17 greys of the original stay apart
    assert sorted(set(labels.tolist())) == list(range(10))


def test_they_are_read_where_the_config_names_them():
    config = DataConfig(format="digits")
    with source.open_data(config, Columns()) as (parts, fingerprint):
        assert [sum(len(rows.lines) for rows in part.read(print)) for part in parts] == [digits.ROWS]
        assert fingerprint == raw_files.fingerprint(config)
