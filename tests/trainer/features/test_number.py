"""Numbers, against NumPy's computation."""

import numpy as np
import pytest

from tests.trainer.features.conftest import NUMBERS, ROWS
from trainer.features import names
from trainer.features.number import BUCKETS

PLACES = {name: place for place, name in enumerate(sorted(NUMBERS))}  # in JSON, which is what Transform gets, keys are sorted


def known(values):
    """float64 (rows,), NaN where a value is missing or not finite."""
    values = np.asarray([np.nan if value is None else value for value in values], np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def log(values):
    return np.sign(values) * np.log1p(np.abs(values))


def bounds_of(values):
    """float64 (49,): the lowest value, the quantiles between buckets of equal numbers of rows, the highest."""
    return np.nanquantile(values, np.arange(BUCKETS + 1) / BUCKETS, method="closest_observation")


def tamed(scaled):
    """As it is up to 10, then the logarithm with the same slope there."""
    return np.where(np.abs(scaled) <= 10, scaled, np.sign(scaled) * 10 * (1 + np.log(np.maximum(np.abs(scaled), 10) / 10)))


def prepared(name, values):
    """What is scaled and ranked: the values, with the logarithm where it is asked for and something in the missing ones' place."""
    values, feature = known(values), NUMBERS[name]
    shown = log(values) if feature.log else values
    if feature.missing == "median":
        return shown
    return np.where(np.isnan(shown), log(feature.missing) if feature.log else feature.missing, shown)


@pytest.mark.parametrize("name", ["plain", "sizes", "gaps", "replaced", "replaced sizes", "infinite"])
def test_a_number_is_centred_at_the_median_divided_by_the_quarters_distance(table, train, name):
    bounds = bounds_of(log(known(train[name])) if NUMBERS[name].log else known(train[name]))
    low, median, high = bounds[[BUCKETS // 4, BUCKETS // 2, 3 * BUCKETS // 4]]
    values = prepared(name, train[name])
    scaled = (np.where(np.isnan(values), median, values) - median) / (high - low)
    expected = tamed(scaled)
    received = table.served(train)[names.NUMBERS][:, PLACES[name]]
    np.testing.assert_allclose(received, expected, atol=0.05, rtol=0.05)  # a quantile may be a row off
    assert np.corrcoef(received, expected)[0, 1] > 0.999


@pytest.mark.parametrize("name", ["plain", "sizes", "gaps", "infinite"])
def test_a_rank_is_the_share_of_the_train_splits_rows_that_are_lower(table, train, name):
    values = known(train[name])
    shown = values[~np.isnan(values)]
    expected = (shown[:, np.newaxis] > shown).mean(axis=1) + 0.5 / len(shown)
    received = table.served(train)[names.RANKS][:, PLACES[name]]
    assert (received.min(), received.max()) == (0.0, 1.0)
    np.testing.assert_allclose(received[~np.isnan(values)], expected, atol=2 / BUCKETS)
    np.testing.assert_array_less(0, np.diff(received[~np.isnan(values)][np.argsort(shown)]))


def test_missing_is_one_where_a_value_is_missing_or_not_finite_and_counts_as_the_median(table, train):
    found = table.served(train)
    for name, place in PLACES.items():
        missing = np.isnan(known(train[name]))
        np.testing.assert_array_equal(found[names.MISSING][:, place], missing, err_msg=name)
        if NUMBERS[name].missing == "median":
            assert not found[names.NUMBERS][missing, place].any(), name
    assert np.isnan(known(train["infinite"])).sum() > 10


def test_what_a_missing_value_counts_as_is_in_the_columns_own_units(ask):
    """So a missing value of 1,000 is no other than a value of 1,000, also where the logarithm is taken."""
    for name in ("replaced", "replaced sizes"):
        found = ask({name: [None, NUMBERS[name].missing]})
        for kind in (names.NUMBERS, names.RANKS):
            first, second = found[kind][:, PLACES[name]]
            assert first == pytest.approx(second, rel=1e-6), (name, kind)


def test_a_column_whose_quarters_are_equal_is_divided_by_half_of_its_range(table, train):
    values = np.asarray(train["mostly zero"])
    scaled = values / (values.max() / 2)
    received = table.served(train)[names.NUMBERS][:, PLACES["mostly zero"]]
    np.testing.assert_allclose(received, scaled, rtol=1e-5)


def test_where_most_rows_have_one_value_the_others_are_told_apart(table, train):
    """Nine in ten are 0: nearly every quantile is 0, so without bounds of their own the others would share the last few buckets."""
    values = np.asarray(train["mostly zero"])
    received = table.served(train)[names.RANKS][:, PLACES["mostly zero"]]
    rare = np.sort(values[values > 0])
    ranks = received[values > 0][np.argsort(values[values > 0])]
    shares = (np.arange(len(rare)) + 0.5) / len(rare)
    assert received[values == 0].max() < 0.1
    np.testing.assert_allclose(ranks, shares, atol=0.1)


def test_a_very_far_number_stays_near(ask):
    """Far off, a number grows as its logarithm does: the rows of one that is wrong by a factor of a million still train."""
    near, far, farther = ask({"plain": [1e3, 1e9, 1e30]})[names.NUMBERS][:, PLACES["plain"]]
    assert 10 < near < far < farther < 1000


def test_a_constant_column_and_one_without_values_say_nothing_and_stay_finite_for_other_values(ask):
    found = ask({"constant": [7.0, 8.0, float("nan"), -1e30], "empty": [None, 8.0, 1e30, float("inf")]})
    for kind in (names.NUMBERS, names.RANKS, names.MISSING):
        assert np.isfinite(found[kind]).all()
    np.testing.assert_array_equal(found[names.NUMBERS][[0, 2], PLACES["constant"]], 0.0)
    np.testing.assert_array_equal(found[names.NUMBERS][[0, 3], PLACES["empty"]], 0.0)
    np.testing.assert_array_equal(found[names.MISSING][:, PLACES["empty"]], [1, 0, 0, 1])


def test_values_beyond_the_train_splits_are_ranked_at_its_ends(ask):
    np.testing.assert_array_equal(ask({"plain": [-1e9, 1e9]})[names.RANKS][:, PLACES["plain"]], [0.0, 1.0])


def test_the_numbers_are_columns_beside_each_other(table):
    spec = table.graph.transformed_feature_spec()
    for kind in (names.NUMBERS, names.RANKS, names.MISSING):
        assert spec[kind].shape == [len(NUMBERS)]


def test_a_split_is_transformed_as_a_served_row_is(table, train):
    written, served = table.written("train"), table.served(train)
    assert len(written[names.LABEL]) == ROWS
    for name, values in served.items():
        np.testing.assert_allclose(np.sort(written[name], axis=0), np.sort(values, axis=0), atol=1e-6, err_msg=name)
