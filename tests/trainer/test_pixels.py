"""Pictures wait as one byte a value, and every bit of what Transform made of them comes back."""

import numpy as np
import pytest
import tensorflow as tf

from trainer import pixels
from trainer.features.image import normalized
from trainer.rows import keep_rows

LEVELS = np.arange(2 * 256, dtype=np.int32).reshape(8, 8, 8, 1) % 256
SCALED = normalized(tf.constant(LEVELS, tf.uint8), "scale").numpy()
FURTHER = {"pixels": SCALED, "pixels_2": SCALED[::-1].copy()}


def kept(inputs, memory=float("inf"), disk=float("inf")):
    return keep_rows(tf.data.Dataset.from_tensor_slices((inputs, np.arange(8))).batch(3), memory, disk)


@pytest.mark.parametrize(("memory", "place"), [(SCALED.size, "in memory"), (SCALED.size - 1, "in a file")])
def test_each_value_of_a_scaled_picture_takes_a_byte_and_comes_back_to_the_bit(memory, place):
    rows = kept({"pixels": SCALED}, memory, SCALED.size)
    assert rows.place.startswith(place)
    np.testing.assert_array_equal(
        rows.inputs(tf.constant([7, 0, 3])).pop("pixels").numpy().view(np.int32), SCALED[[7, 0, 3]].view(np.int32)
    )


@pytest.mark.parametrize("memory", [2 * SCALED.size, 0])
def test_so_does_each_of_several_pictures(memory):
    given = kept(FURTHER, memory, 2 * SCALED.size).inputs(tf.range(8))
    for name, values in FURTHER.items():
        np.testing.assert_array_equal(given[name], values)


@pytest.mark.parametrize("values", [(SCALED - 0.13) / 0.3, SCALED * 2, SCALED + np.float32(1e-7), np.where(SCALED > 0.5, np.nan, SCALED)])
def test_other_values_stay_as_they_are(values):
    given = kept({"pixels": values.astype(np.float32)}).inputs(tf.range(8))
    np.testing.assert_array_equal(given["pixels"], values.astype(np.float32))


@pytest.mark.parametrize("memory", [float("inf"), 0])
def test_where_only_the_first_batch_could_be_bytes_none_is(memory):
    values = np.concatenate([np.zeros_like(SCALED[:3]), (SCALED[3:] - 0.13) / 0.3])
    np.testing.assert_array_equal(kept({"pixels": values}, memory).inputs(tf.range(8))["pixels"], values)


def test_numbers_of_a_table_stay_numbers():
    numbers = {"numbers": np.ones((4, 3), np.float32)}
    assert pixels.packed(numbers)["numbers"].dtype == np.float32
