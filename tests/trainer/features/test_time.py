"""Times, against NumPy's and the calendar's."""

import datetime

import numpy as np
import pytest

from tests.trainer.features.conftest import TIMES
from trainer.features import names

EACH = 8  # columns of one time: three sines and cosines, how late it is, whether it is missing
DAY = 86_400
UTC = datetime.UTC


def of(found, name):
    """float32 (rows, 8) of one of the times."""
    place = sorted(TIMES).index(name)
    return found[names.TIMES][:, EACH * place : EACH * (place + 1)]


@pytest.mark.parametrize("name", ["seen at", "sold at"])
def test_what_comes_round_is_a_sine_and_a_cosine_of_the_day_the_week_and_the_year(table, train, name):
    received = of(table.served(train), name)
    there = np.asarray([value is not None for value in train[name]])
    seconds = np.asarray([value for value in train[name] if value is not None], np.float64) - 4 * DAY  # from a Monday on
    for place, period in enumerate((DAY, 7 * DAY, 365.2425 * DAY)):
        angle = 2 * np.pi * seconds / period
        expected = np.stack([np.sin(angle), np.cos(angle)], axis=1)
        np.testing.assert_allclose(received[there, 2 * place : 2 * place + 2], expected, atol=1e-4)


def test_the_same_hour_of_the_same_weekday_is_the_same_place_of_day_and_week(ask):
    monday = datetime.datetime(2024, 1, 1, 6, tzinfo=UTC)
    times = [monday, monday + datetime.timedelta(weeks=30), monday + datetime.timedelta(days=1)]
    found = of(ask({"seen at": [int(time.timestamp()) for time in times]}), "seen at")
    np.testing.assert_allclose(found[:, :2], [[1, 0]] * 3, atol=1e-5)  # six o'clock, a quarter of the day
    np.testing.assert_allclose(found[0, 2:4], found[1, 2:4], atol=1e-5)
    assert np.abs(found[0, 2:4] - found[2, 2:4]).max() > 0.1


def test_how_late_it_is_runs_from_0_to_1_over_the_train_split_and_stays_there_beyond_it(table, train, ask):
    there = np.asarray([value is not None for value in train["sold at"]])
    seconds = np.asarray([value for value in train["sold at"] if value is not None])
    first, last = int(seconds.min()), int(seconds.max())
    np.testing.assert_allclose(of(table.served(train), "sold at")[there, 6], (seconds - first) / (last - first), atol=1e-6)
    found = of(ask({"sold at": [first - DAY, first, (first + last) // 2, last, last + DAY]}), "sold at")
    np.testing.assert_allclose(found[:, 6], [0, 0, 0.5, 1, 1], atol=1e-6)


def test_a_missing_time_is_zeros_and_a_one(table, train):
    received = of(table.served(train), "sold at")
    missing = np.asarray([value is None for value in train["sold at"]])
    assert missing.sum() > 10
    np.testing.assert_array_equal(received[missing], [[0] * 7 + [1]] * missing.sum())
    np.testing.assert_array_equal(received[~missing, 7], 0)


def test_a_column_without_a_time_stays_finite_for_one_that_comes_later(ask):
    found = of(ask({"never": [None, 1_700_000_000]}), "never")
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[:, 7], [1, 0])
