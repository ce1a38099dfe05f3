"""Which split a row lands in."""

import collections

import numpy as np
import pytest

from components.example_gen import split
from components.example_gen.config import SplitsConfig

WEIGHTS = SplitsConfig()  # 8, 1, 1


def assign(images, weights, has_official_test):
    return split.assign(split.hashes_of_images(images), weights, has_official_test)


def test_a_row_keeps_its_split_whatever_rows_are_added_around_it(images):
    rows = images(500)
    before = assign(rows, WEIGHTS, has_official_test=False)
    order = np.random.default_rng(1).permutation(1500)
    more = np.concatenate([rows, images(1000, seed=2)])[order]
    after = assign(more, WEIGHTS, has_official_test=False)
    np.testing.assert_array_equal(after[np.argsort(order)[:500]], before)


def test_duplicates_land_together(images):
    rows = images(300)
    first, second = np.split(assign(np.concatenate([rows, rows]), WEIGHTS, has_official_test=False), 2)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("weights", "official", "expected"),
    [
        (WEIGHTS, False, {"train": 0.8, "eval": 0.1, "test": 0.1}),
        (SplitsConfig(train=1, eval=1, test=2), False, {"train": 0.25, "eval": 0.25, "test": 0.5}),
        (SplitsConfig(train=11, eval=1), True, {"train": 11 / 12, "eval": 1 / 12}),
    ],
)
def test_shares_are_as_configured_and_nothing_joins_an_official_test_split(images, weights, official, expected):
    names = assign(images(20_000), weights, official)
    shares = {name: count / 20_000 for name, count in collections.Counter(names.tolist()).items()}
    assert shares == pytest.approx(expected, abs=0.01)  # three standard deviations


def test_the_shape_counts_as_content():
    flat = np.zeros((1, 1, 64), np.uint8)
    names = {
        assign(flat.reshape(1, height, 64 // height), SplitsConfig(train=1000, eval=1000, test=1000), False)[0]
        for height in (1, 2, 4, 8, 16, 32)
    }
    assert len(names) > 1


def test_these_images_land_where_they_always_have():
    """A change of the hash would move rows of users' data from train to test, behind their back."""
    rows = np.stack([np.full((4, 4), value, np.uint8) for value in range(12)])
    assert assign(rows, WEIGHTS, has_official_test=False).tolist() == [
        "train",
        "train",
        "train",
        "train",
        "train",
        "train",
        "train",
        "train",
        "train",
        "test",
        "train",
        "train",
    ]
    colour = np.stack([np.full((2, 2, 3), value, np.uint8) for value in range(12)])
    assert assign(colour, SplitsConfig(train=1, eval=1, test=1), has_official_test=False).tolist() == [
        "eval",
        "eval",
        "test",
        "train",
        "test",
        "eval",
        "test",
        "test",
        "test",
        "eval",
        "test",
        "eval",
    ]
