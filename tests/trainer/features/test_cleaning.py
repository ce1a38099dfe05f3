"""What can be set of a number: missing values, outliers, scales and quantile buckets, against NumPy's computation."""

import numpy as np
import pytest

from tests.trainer.transform_run import of_table
from trainer.features import names, table_sizes
from trainer.features.number import NumberFeature
from trainer.tasks import Regression

FEATURES = {
    "bucketed": NumberFeature(buckets=4),
    "bucketed finely": NumberFeature(buckets=10),
    "clipped": NumberFeature(clip=(0.05, 0.9), scale="min_max"),
    "clipped z": NumberFeature(clip=(0.01, 0.99), scale="z_score", missing="mean"),
    "constant": NumberFeature(scale="z_score"),
    "empty": NumberFeature(scale="min_max", missing="mean", clip=(0.1, 0.9), buckets=4),
    "far": NumberFeature(clip=(0.25, 0.75), missing=1e6, scale="min_max"),
    "logarithm": NumberFeature(log=True, missing="mean", scale="z_score"),
    "mean": NumberFeature(missing="mean"),
    "range": NumberFeature(scale="min_max", missing=0.0),
    "whole": NumberFeature(clip=(0.0, 1.0), scale="min_max"),
    "z": NumberFeature(scale="z_score"),
}
PLACES = {name: place for place, name in enumerate(FEATURES)}
BUCKETED = [name for name, feature in FEATURES.items() if feature.buckets]
ROWS = 1001


def split(rows, seed):
    random = np.random.default_rng(seed)
    columns = {}
    for name in FEATURES:
        values = random.standard_t(2, rows) * 5 + 40  # with outliers
        columns[name] = [None if gap else value for value, gap in zip(values.tolist(), random.random(rows) < 0.1, strict=True)]
    return columns | {"constant": [7.0] * rows, "empty": [None] * rows, "y": random.normal(size=rows).tolist()}


@pytest.fixture(scope="module")
def train():
    return split(ROWS, 0)


@pytest.fixture(scope="module")
def cleaned(train, tmp_path_factory):
    return of_table(tmp_path_factory.mktemp("cleaned"), {"train": train, "eval": split(50, 1)}, FEATURES, "y", Regression())


@pytest.fixture(scope="module")
def found(cleaned, train):
    return cleaned.served(train)


def values_of(train, name):
    """float64 (rows,), NaN where missing, in the scale that is transformed."""
    values = np.asarray([np.nan if value is None else value for value in train[name]], np.float64)
    return np.sign(values) * np.log1p(np.abs(values)) if FEATURES[name].log else values


def clipped(values, name):
    clip = FEATURES[name].clip
    return np.clip(values, *np.nanquantile(values, clip)) if clip else values


def column(found, name):
    return found[names.NUMBERS][:, PLACES[name]]


@pytest.mark.parametrize("name", ["z", "logarithm", "clipped z"])
def test_a_z_score_is_off_the_mean_by_so_many_standard_deviations_of_what_was_not_clipped(found, train, name):
    values = clipped(values_of(train, name), name)
    expected = (values - np.nanmean(values)) / np.nanstd(values)
    shown = ~np.isnan(values)
    np.testing.assert_allclose(column(found, name)[shown], expected[shown], atol=0.02 if FEATURES[name].clip else 1e-4)
    if FEATURES[name].missing == "mean":
        np.testing.assert_allclose(column(found, name)[~shown], 0, atol=1e-5)


@pytest.mark.parametrize("name", ["range", "clipped", "whole"])
def test_min_max_is_0_at_the_lowest_value_and_1_at_the_highest(found, train, name):
    values = clipped(values_of(train, name), name)
    shown = ~np.isnan(values)
    expected = (values - np.nanmin(values)) / (np.nanmax(values) - np.nanmin(values))
    np.testing.assert_allclose(column(found, name)[shown], expected[shown], atol=0.005)
    assert (column(found, name)[shown].min(), column(found, name)[shown].max()) == (0.0, 1.0)


def test_outliers_count_as_the_quantiles_also_in_ranks_and_also_those_that_the_train_split_does_not_have(cleaned, train, found):
    values = values_of(train, "clipped")
    shares = [(column(found, "clipped") == end).mean() * ROWS / np.isfinite(values).sum() for end in (0.0, 1.0)]
    np.testing.assert_allclose(shares, [0.05, 0.1], atol=0.003)
    rows = {name: values[:4] for name, values in train.items() if name != "y"}
    asked = cleaned.served({**rows, "clipped": [-1e9, 1e9, 1e30, float("-inf")], "whole": [-1e9, 1e9, 40.0, None], "range": [1e4] * 4})
    np.testing.assert_array_equal(column(asked, "clipped")[:3], [0, 1, 1])
    ranks = found[names.RANKS][:, PLACES["clipped"]]
    np.testing.assert_array_equal(asked[names.RANKS][:3, PLACES["clipped"]], [ranks.min(), 1, 1])
    assert ranks.min() < 0.05
    np.testing.assert_array_equal(asked[names.MISSING][:, PLACES["clipped"]], [0, 0, 0, 1])
    np.testing.assert_array_equal(column(asked, "whole")[:2], [0, 1])
    assert (column(asked, "range") > 1).all()  # what is not clipped goes beyond


def test_a_missing_value_counts_as_the_mean_and_is_told_apart(found, train):
    missing = np.isnan(values_of(train, "mean"))
    values, received = values_of(train, "mean"), column(found, "mean")
    order = np.argsort(values[~missing])
    expected = np.interp(np.nanmean(values), values[~missing][order], received[~missing][order])
    np.testing.assert_allclose(received[missing], expected, atol=1e-3)
    np.testing.assert_array_equal(found[names.MISSING][:, PLACES["mean"]], missing)


def test_a_number_in_a_missing_ones_place_is_clipped_as_any_other(found, train):
    assert set(column(found, "far")[np.isnan(values_of(train, "far"))]) == {1.0}


def test_a_constant_column_and_one_without_values_are_0(found):
    for name in ("constant", "empty"):
        np.testing.assert_array_equal(column(found, name), 0.0)
    assert all(np.isfinite(values).all() for values in found.values())


@pytest.mark.parametrize("name", ["bucketed", "bucketed finely"])
def test_buckets_have_equal_numbers_of_rows_and_missing_is_one_more(found, train, name):
    values, count = values_of(train, name), FEATURES[name].buckets
    first = sum(FEATURES[before].buckets + 1 for before in BUCKETED[: BUCKETED.index(name)])
    received = found[names.BUCKETS][:, BUCKETED.index(name)] - first
    shown = ~np.isnan(values)
    np.testing.assert_array_equal(received[~shown], count)
    np.testing.assert_allclose(np.bincount(received[shown], minlength=count) / shown.sum(), 1 / count, atol=0.005)
    assert (np.diff(received[shown][np.argsort(values[shown])]) >= 0).all()


def test_the_table_has_each_features_buckets(cleaned, found):
    assert table_sizes(cleaned.graph) == {names.BUCKETS: 4 + 1 + 10 + 1 + 4 + 1}
    assert set(found[names.BUCKETS][:, BUCKETED.index("empty")]) == {20}


def test_a_split_is_cleaned_as_a_served_row_is(cleaned, found):
    written = cleaned.written("train")
    for name, values in found.items():
        np.testing.assert_allclose(np.sort(written[name], axis=0), np.sort(values, axis=0), atol=1e-5, err_msg=name)


def test_one_column_alone_is_cleaned_as_one_of_several(tmp_path, train, found):
    features = {"clipped z": FEATURES["clipped z"]}
    alone = of_table(tmp_path, {"train": {name: train[name] for name in (*features, "y")}}, features, "y", Regression())
    received = alone.served({"clipped z": train["clipped z"]})
    np.testing.assert_allclose(received[names.NUMBERS][:, 0], column(found, "clipped z"), atol=1e-3)
