"""Categories: which row of the table each value of each column gets."""

import collections

import numpy as np

from tests.trainer.features.conftest import CATEGORIES
from trainer.features import names, table_sizes


def seen(train):
    """The (column, value) pairs of the train split; a missing value is one more."""
    return {(name, value) for name in CATEGORIES for value in train[name]}


def test_each_value_of_each_column_has_a_row_of_its_own_also_where_two_columns_share_a_value(table, train):
    received = table.served(train)[names.CATEGORIES]
    rows = collections.defaultdict(set)
    for place, name in enumerate(sorted(CATEGORIES)):
        for value, row in zip(train[name], received[:, place].tolist(), strict=True):
            rows[name, value].add(row)
    assert rows.keys() == seen(train)
    assert all(len(own) == 1 for own in rows.values())
    assert {("colour", "red"), ("shade", "red"), ("colour", None), ("都市", "東京")} <= rows.keys()
    assert set().union(*rows.values()) == set(range(len(CATEGORIES), len(CATEGORIES) + len(rows)))


def test_the_table_has_a_row_for_every_value_and_one_a_column_for_unknown_ones(table, train):
    assert table_sizes(table.graph) == {names.CATEGORIES: len(seen(train)) + len(CATEGORIES)}


def test_a_value_that_the_train_split_does_not_have_gets_its_columns_own_row(ask):
    columns = {"colour": ["dark red", "red", "紫", None], "shade": ["green", "red", "", "red"], "都市": ["那覇", "東京", "", "札幌"]}
    found = ask(columns)[names.CATEGORIES]
    assert list(columns) == sorted(CATEGORIES)
    np.testing.assert_array_equal(found[0], [0, 1, 2])  # `dark red` and `green` are values of another column
    np.testing.assert_array_equal(found[2], [0, 1, 2])  # only `colour` has missing values in the train split
    assert (found[[1, 3]] >= len(CATEGORIES)).all()


def test_a_value_that_a_vocabularys_file_cannot_hold_counts_as_unknown(ask):
    found = ask({"都市": ["東京\n大阪", "東\r京", "\x1f", " 東京"]})[names.CATEGORIES]
    np.testing.assert_array_equal(found[:, -1], len(CATEGORIES) - 1)
