"""Reading IDX: what is read, and what is said of a file that cannot be."""

import contextlib
import gzip
import hashlib
import struct
import tracemalloc

import numpy as np
import psutil
import pytest

from components.example_gen import source
from components.example_gen.columns import Columns
from components.example_gen.config import DataConfig
from components.example_gen.readers import idx as idx_reader
from trainer.errors import ConfigError, DataError

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def read(folder, rows_per_chunk=4):
    """(split, images, labels) of every part, read in chunks."""
    return [
        (part.split, np.concatenate([chunk.images for chunk in chunks]), np.concatenate([chunk.labels for chunk in chunks]))
        for part in idx_reader.open_images(str(folder))
        for chunks in [list(part.chunks(rows_per_chunk))]
    ]


@pytest.fixture
def folder(tmp_path, write_idx, images, labels):
    """Ten rows of 4 x 3 pixels, not zipped."""
    return write_idx(tmp_path / "idx", images(10), labels(10))


def error_of(folder):
    with pytest.raises(DataError) as caught:
        idx_reader.open_images(str(folder))
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(f"{folder}/", "")


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzipped"])
@pytest.mark.parametrize("separator", ["-", "."], ids=["dash", "dot"])
@pytest.mark.parametrize("test_prefix", ["t10k", "test"])
def test_plain_and_gzipped_files_of_either_naming_give_the_very_pixels_and_labels(
    tmp_path, write_idx, images, labels, zipped, separator, test_prefix
):
    write_idx(tmp_path, images(10), labels(10), "train", separator, zipped)
    write_idx(tmp_path, images(3, seed=1), labels(3), test_prefix, separator, zipped)
    (train_split, *train), (test_split, *test) = read(tmp_path)
    assert (train_split, test_split) == (None, "test")
    for received, expected in zip([*train, *test], [images(10), labels(10), images(3, seed=1), labels(3)], strict=True):
        np.testing.assert_array_equal(received, expected)
    assert train[0].dtype == np.uint8
    assert train[1].dtype == np.int64


def test_whether_a_file_is_gzipped_is_seen_from_its_content_not_its_name(folder, images):
    (folder / IMAGES).rename(folder / f"{IMAGES}.gz")  # unpacked by the browser, name kept
    (folder / LABELS).write_bytes(gzip.compress((folder / LABELS).read_bytes()))
    [(_, received, _)] = read(folder)
    np.testing.assert_array_equal(received, images(10))


@pytest.mark.parametrize("rows_per_chunk", [1, 3, 10, 1000])
def test_chunks_of_any_size_give_the_same_rows_in_the_same_order(folder, images, labels, rows_per_chunk):
    [(_, received, numbers)] = read(folder, rows_per_chunk)
    np.testing.assert_array_equal(received, images(10))
    np.testing.assert_array_equal(numbers, labels(10))


def test_a_chunks_pixels_are_given_up_before_the_next_ones_are_read(tmp_path, write_idx, labels):
    size = 1 << 20
    write_idx(tmp_path, np.zeros((4, 1, size), np.uint8), labels(4))
    [part] = idx_reader.open_images(str(tmp_path))
    chunks = part.chunks(1)
    tracemalloc.start()
    try:
        for _ in range(4):
            next(chunks)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size < peak < 1.5 * size


def test_a_truncated_file_is_named_with_the_offset_where_it_ends_and_the_row(folder):
    path = folder / IMAGES
    path.write_bytes(path.read_bytes()[:-13])  # the last row and a pixel
    assert (
        error_of(folder)
        == f"Expected 136 bytes in '{IMAGES}' (10 rows of 12). The file ends at offset 123, in row 8. Copy or download it again."
    )


def test_a_truncated_label_file_is_named(folder):
    (folder / LABELS).write_bytes((folder / LABELS).read_bytes()[:-4])
    assert (
        error_of(folder)
        == f"Expected 18 bytes in '{LABELS}' (10 rows of 1). The file ends at offset 14, in row 6. Copy or download it again."
    )


def test_trailing_bytes_are_refused_with_their_number_and_offset(folder):
    with (folder / IMAGES).open("ab") as file:
        file.write(b"12345")
    assert error_of(folder) == f"Expected 136 bytes in '{IMAGES}' (10 rows of 12). 5 bytes follow offset 136. Copy or download it again."


def test_a_gzip_file_that_goes_on_after_its_last_row_is_refused_at_once(folder, labels, idx):
    """It is not read to its end, which may be far away: what follows is broken here, and nobody gets there."""
    more = bytearray(gzip.compress(np.random.default_rng(0).bytes(1 << 20)))
    more[-1000:] = bytes(1000)
    (folder / LABELS).write_bytes(gzip.compress(idx(labels(10))) + more)
    assert error_of(folder) == f"Expected 18 bytes in '{LABELS}' (10 rows of 1). More bytes follow offset 18. Copy or download it again."


def test_a_truncated_gzip_file_is_told_from_a_short_one(tmp_path, write_idx, images, labels):
    write_idx(tmp_path, images(1000), labels(1000), zipped=True)
    path = tmp_path / f"{IMAGES}.gz"
    path.write_bytes(path.read_bytes()[:-100])
    message = error_of(tmp_path)
    assert message.startswith(f"Expected a sound gzip file. Received '{IMAGES}.gz', which is truncated or corrupt near offset ")
    assert message.endswith("Compressed file ended before the end-of-stream marker was reached. Copy or download it again.")


@pytest.mark.parametrize("file", [IMAGES, LABELS])
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzipped"])
def test_a_file_that_changes_between_the_check_and_the_reading_is_refused(tmp_path, write_idx, images, labels, file, zipped):
    """Also one that is as long as before: what is read must be what the cache's key was made of."""
    write_idx(tmp_path, images(10), labels(10), zipped=zipped)
    [part] = idx_reader.open_images(str(tmp_path))
    write_idx(tmp_path, images(10, seed=1), labels(10), zipped=zipped) if file == IMAGES else write_idx(
        tmp_path, images(10), labels(10) + 1, zipped=zipped
    )
    name = f"{file}.gz" if zipped else file
    with pytest.raises(DataError) as caught:
        list(part.chunks(4))
    assert str(caught.value) == (
        f"Expected '{tmp_path / name}' to stay as it is while it is read. Received: another content than a moment ago. Run again."
    )


@pytest.mark.parametrize("rows", [9, 11])
def test_a_file_that_grows_or_shrinks_between_the_check_and_the_reading_is_refused(folder, write_idx, images, labels, rows):
    [part] = idx_reader.open_images(str(folder))
    write_idx(folder, images(rows), labels(rows))
    with pytest.raises(DataError, match=r"to stay as it is while it is read"):
        list(part.chunks(4))


def test_a_part_names_its_files_with_their_sha256(folder):
    [part] = idx_reader.open_images(str(folder))
    assert part.files == {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (IMAGES, LABELS)}


@pytest.mark.parametrize("where", [-5, 40], ids=["checksum", "data"])
def test_a_corrupt_gzip_file_is_named(tmp_path, write_idx, labels, where):
    write_idx(tmp_path, np.tile(np.arange(120, dtype=np.uint8).reshape(10, 4, 3), (100, 1, 1)), labels(1000), zipped=True)
    path = tmp_path / f"{IMAGES}.gz"
    content = bytearray(path.read_bytes())
    content[where] ^= 0xFF
    path.write_bytes(content)
    assert f"Expected a sound gzip file. Received '{IMAGES}.gz', which is truncated or corrupt near offset " in error_of(tmp_path)


@pytest.mark.parametrize(
    ("file", "start", "received"),
    [
        (IMAGES, b"\0\0\x08\x01", "uint8 labels. Check the names of the two files."),
        (IMAGES, b"\0\0\x08\x04", "uint8 colour images. Convert them to grey, uint8 (rows, height, width)."),
        (IMAGES, b"\0\0\x0d\x03", "float32 images. Save them as uint8, 0 to 255."),
        (IMAGES, b"\0\0\x08\x02", "uint8 rows of 2 dimensions. Save them as uint8 (rows, height, width)."),
        (IMAGES, b"\x89PNG", "a PNG picture, which is not IDX. Copy or download it again."),
        (IMAGES, b"\0\0\x07\x03", "a file that begins with the bytes 00 00 07 03, which is not IDX. Copy or download it again."),
        (LABELS, b"\0\0\x08\x03", "uint8 images. Check the names of the two files."),
        (LABELS, b"\0\0\x0c\x01", "int32 labels. Save them as uint8, 0 to 255."),
        (LABELS, b"\0\0\x08\x02", "uint8 rows of 2 dimensions. Save one label a row, as uint8 (rows,)."),
        (LABELS, b"<!do", "a web page, which is not IDX. Copy or download it again."),
    ],
)
def test_a_file_that_holds_something_else_is_told_by_what_it_holds_with_what_to_do(folder, file, start, received):
    (folder / file).write_bytes(start + bytes(132))
    expected = "grey images, uint8 (rows, height, width)," if file == IMAGES else "labels, uint8 (rows,),"
    assert error_of(folder) == f"Expected {expected} in '{file}'. Received: {received}"


def test_images_and_labels_of_different_counts_are_refused_with_both_counts_and_where_they_stand(folder, idx, labels):
    (folder / LABELS).write_bytes(idx(labels(9)))
    assert error_of(folder) == (
        f"Expected as many labels as images. Received: 10 images (offset 4 of '{IMAGES}') and "
        f"9 labels (offset 4 of '{LABELS}'). Check that the two files belong together."
    )


@pytest.mark.parametrize(
    ("content", "received"),
    [(b"", "Received: 0 bytes."), (b"\0\0", "Received: 2 bytes."), (b"\0\0\x08\x03\0\0", "The file ends at offset 6.")],
)
def test_a_file_that_ends_inside_its_header_is_refused(folder, content, received):
    (folder / IMAGES).write_bytes(content)
    assert error_of(folder) == f"Expected an IDX header of 16 bytes in '{IMAGES}'. {received}"


def test_files_that_are_refused_are_closed(folder, idx, labels):
    """While somebody still holds the error, and with it the frames that opened them."""
    (folder / LABELS).write_bytes(idx(labels(8)))
    with pytest.raises(DataError) as caught:
        idx_reader.open_images(str(folder))
    assert caught.tb
    assert not [file.path for file in psutil.Process().open_files() if file.path.startswith(str(folder))]


def test_no_rows_are_refused(folder, idx, images):
    (folder / IMAGES).write_bytes(idx(images(0)))
    assert error_of(folder) == f"Expected at least one row and pixel in '{IMAGES}'. Received the shape (0, 4, 3) at offset 4."


def test_sizes_too_large_for_64_bits_are_too_many_pixels_like_any_other(folder):
    (folder / IMAGES).write_bytes(struct.pack(">4I", 0x803, 10, 0xFFFFFFFF, 0xFFFFFFFF) + bytes(120))
    message = error_of(folder)
    assert "Received: 4,294,967,295 x 4,294,967,295 at offset 8." in message


def test_images_of_more_pixels_than_the_limit_are_refused_before_a_pixel_is_read(folder, idx, labels):
    (folder / IMAGES).write_bytes(struct.pack(">4I", 0x803, 8, 16384, 16384))
    (folder / LABELS).write_bytes(idx(labels(8)))
    assert error_of(folder) == (
        f"Expected images of at most 67,108,864 pixels (`data.max_image_pixels`) in '{IMAGES}'. Received: 16,384 x 16,384 at offset 8. "
        "Copy or download it again; if that is right, raise `data.max_image_pixels`."
    )


@pytest.mark.parametrize(("limit", "is_refused"), [(12, False), (11, True)])
def test_the_limit_of_pixels_is_the_configs(folder, limit, is_refused):
    data = DataConfig(format="idx", path=str(folder), max_image_pixels=limit)
    with (
        pytest.raises(DataError, match=rf"at most {limit} pixels") if is_refused else contextlib.nullcontext(),
        source.open_data(data, Columns()),
    ):
        pass


def test_a_broken_official_test_file_is_found_before_any_row_is_given(folder, write_idx, images, labels):
    write_idx(folder, images(3), labels(3), "t10k")
    (folder / "t10k-images-idx3-ubyte").write_bytes(b"")
    assert error_of(folder) == "Expected an IDX header of 16 bytes in 't10k-images-idx3-ubyte'. Received: 0 bytes."


def test_a_path_that_is_no_folder_is_a_configuration_error(tmp_path):
    with pytest.raises(ConfigError) as caught:
        idx_reader.open_images(str(tmp_path / "nowhere"))
    assert str(caught.value) == f"Expected `data.path` to be a folder of IDX files. Received: '{tmp_path}/nowhere', which is not a folder."
