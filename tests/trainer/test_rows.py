"""Where rows are kept, and that they come back by number."""

import pathlib
import resource
import tempfile

import numpy as np
import pytest
import tensorflow as tf

from trainer.rows import keep_rows

GRID = np.arange(10 * 2 * 3, dtype=np.float32).reshape(10, 2, 3, 1)
LABELS = np.arange(10, dtype=np.int64) * 7


def batches():
    """In three parts, the last one smaller."""
    return tf.data.Dataset.from_tensor_slices(({"grid": GRID}, LABELS)).batch(4)


@pytest.mark.parametrize(
    ("memory", "place"),
    [(GRID.nbytes, "in memory"), (GRID.nbytes - 1, "in a file"), (GRID.nbytes // 2, "in a file"), (0, "in a file")],
)
def test_any_rows_in_any_order_are_what_was_read_wherever_they_are(memory, place):
    rows = keep_rows(batches(), memory, GRID.nbytes)
    assert rows.place.startswith(place)
    np.testing.assert_array_equal(rows.labels, LABELS)
    for numbers in ([9, 0, 4, 4], [3], []):
        np.testing.assert_array_equal(rows.inputs(tf.constant(numbers, tf.int64))["grid"], GRID[numbers])


def test_the_file_has_no_name():
    before = list(pathlib.Path(tempfile.gettempdir()).iterdir())
    rows = keep_rows(batches(), 0, GRID.nbytes)
    assert list(pathlib.Path(tempfile.gettempdir()).iterdir()) == before
    assert tempfile.gettempdir() in rows.place


def test_what_has_no_room_on_the_disk_is_not_kept():
    assert keep_rows(batches(), 0, GRID.nbytes - 1) is None


def test_a_disk_that_turns_out_to_be_full_is_no_room():
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (GRID.nbytes - 1, limits[1]))
    try:
        rows = keep_rows(batches(), 0, GRID.nbytes)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert rows is None
