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


def kept(inputs, memory=float("inf"), disk=float("inf"), first=3):
    return keep_rows(tf.data.Dataset.from_tensor_slices((inputs, np.arange(8))).batch(first), memory, disk)


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


def standardized(levels, mean, deviation):
    """As TensorFlow Transform does it, of whole numbers (..., channels)."""
    return (levels.astype(np.float32) - np.float32(mean)) / np.float32(deviation)


COLOURS = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3))


@pytest.mark.parametrize("memory", [COLOURS.size, 0])
@pytest.mark.parametrize(
    ("levels", "mean", "deviation"),
    [
        (LEVELS, [33.3158], [78.56519]),
        (COLOURS, [125.3, 122.95, 113.87], [62.99, 62.09, 66.7]),
        (COLOURS // 15 * 15, [1e-3, 128, 254.9], [3.7, 1, 127]),  # few levels, none next to another
        (COLOURS // 2 + 40, [90.1, 90.2, 90.3], [30.1, 30.2, 30.3]),  # neither black nor white
    ],
)
def test_so_does_each_channel_of_a_standardized_picture(levels, mean, deviation, memory):
    values = standardized(levels, mean, deviation)
    rows = kept({"pixels": values}, memory, levels.size, first=8)
    assert rows is not None  # in a quarter of the room
    numbers = tf.data.Dataset.range(8).batch(5).map(rows.inputs)  # as a training asks for them, by TensorFlow's own optimizer of graphs
    given = np.concatenate([batch["pixels"] for batch in numbers.as_numpy_iterator()])
    np.testing.assert_array_equal(given.view(np.int32), values.view(np.int32))


@pytest.mark.parametrize(
    "values",
    [
        SCALED**2,
        SCALED + np.float32(1e-7),
        np.where(SCALED > 0.5, np.nan, SCALED),
        np.random.default_rng(0).normal(size=SCALED.shape),
        np.full_like(SCALED, 0.3),
    ],
)
def test_other_values_stay_as_they_are(values):
    values = values.astype(np.float32)
    assert kept({"pixels": values}, 0, values.nbytes - 1) is None  # no byte is saved
    np.testing.assert_array_equal(kept({"pixels": values}).inputs(tf.range(8))["pixels"], values)


@pytest.mark.parametrize("memory", [float("inf"), 0])
def test_where_only_the_first_batch_could_be_bytes_none_is(memory):
    values = np.concatenate([np.zeros_like(SCALED[:3]), (SCALED[3:] - 0.13) / 0.3])
    np.testing.assert_array_equal(kept({"pixels": values}, memory).inputs(tf.range(8))["pixels"], values)


def test_numbers_of_a_table_stay_numbers():
    assert not pixels.coding({"numbers": tf.ones((4, 3))})
