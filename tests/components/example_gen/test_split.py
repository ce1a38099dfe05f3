"""Which split a row lands in."""

import collections

import numpy as np
import pyarrow as pa
import pytest

from components.example_gen import split
from components.example_gen.config import SplitsConfig

WEIGHTS = SplitsConfig()  # 8, 1, 1


def assign(images, weights, splits=split.SPLITS):
    return split.assign(split.hashes_of_images(images), weights, splits)


def test_a_row_keeps_its_split_whatever_rows_are_added_around_it(images):
    rows = images(500)
    before = assign(rows, WEIGHTS)
    order = np.random.default_rng(1).permutation(1500)
    more = np.concatenate([rows, images(1000, seed=2)])[order]
    after = assign(more, WEIGHTS)
    np.testing.assert_array_equal(after[np.argsort(order)[:500]], before)


def test_duplicates_land_together(images):
    rows = images(300)
    first, second = np.split(assign(np.concatenate([rows, rows]), WEIGHTS), 2)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("weights", "splits", "expected"),
    [
        (WEIGHTS, split.SPLITS, {"train": 0.8, "eval": 0.1, "test": 0.1}),
        (SplitsConfig(train=1, eval=1, test=2), split.SPLITS, {"train": 0.25, "eval": 0.25, "test": 0.5}),
        (SplitsConfig(train=11, eval=1), ("train", "eval"), {"train": 11 / 12, "eval": 1 / 12}),
    ],
)
def test_shares_are_as_configured_and_nothing_joins_an_official_test_split(images, weights, splits, expected):
    names = assign(images(20_000), weights, splits)
    shares = {name: count / 20_000 for name, count in collections.Counter(names.tolist()).items()}
    assert shares == pytest.approx(expected, abs=0.01)  # three standard deviations


def test_the_shape_counts_as_content():
    flat = np.zeros((1, 1, 64), np.uint8)
    names = {
        assign(flat.reshape(1, height, 64 // height), SplitsConfig(train=1000, eval=1000, test=1000))[0] for height in (1, 2, 4, 8, 16, 32)
    }
    assert len(names) > 1


def test_these_images_land_where_they_always_have():
    """A change of the hash would move rows of users' data from train to test, behind their back."""
    rows = np.stack([np.full((4, 4), value, np.uint8) for value in range(12)])
    assert assign(rows, WEIGHTS).tolist() == [
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
    assert assign(colour, SplitsConfig(train=1, eval=1, test=1)).tolist() == [
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


def test_a_columns_words_for_the_splits_are_known_and_others_are_told_from_them():
    words = pa.array(["train", " Training ", "VAL", "validation", "dev", "eval", "test", "Testing", "holdout", "", None])
    assert split.named(words, "part").tolist() == ["train"] * 2 + ["eval"] * 4 + ["test"] * 2 + [""] * 3


def test_equal_rows_of_a_table_have_equal_hashes_whatever_their_neighbours_and_their_columns_names():
    columns = {"都市": ["東京", "大阪", "東京", None], "size": [1.0, 2.0, 1.0, None]}
    hashes = split.hashes_of_rows(pa.RecordBatch.from_pydict(columns))
    assert hashes.dtype == np.uint64
    assert hashes[0] == hashes[2]
    assert len(set(hashes.tolist())) == 3
    renamed = pa.RecordBatch.from_pydict(dict(zip(("city", "m"), columns.values(), strict=True)))
    np.testing.assert_array_equal(split.hashes_of_rows(renamed.slice(1)), hashes[1:])


def test_these_rows_of_a_table_land_where_they_always_have():
    """A change of the hash, of pandas' own as well, would move rows of users' data from train to test, behind their back."""
    batch = pa.RecordBatch.from_pydict({"都市": ["東京", "大阪", None, "那覇"] * 2, "size": [1.0, None, 2.5, -0.0, 7.0, 1e9, 3.0, 4.0]})
    wanted = "eval train train eval eval test train train"
    assert " ".join(split.assign(split.hashes_of_rows(batch), SplitsConfig(train=1, eval=1, test=1))) == wanted
