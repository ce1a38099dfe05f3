"""Series: the newest numbers of each row's lists, scaled by the training split, the same when served."""

import numpy as np
import pytest

from tests.trainer.transform_run import of_table
from trainer.features import names
from trainer.features.series import SeriesFeature
from trainer.tasks import Regression

NAN = float("nan")
FEATURES = {"heat": SeriesFeature(length=4), "load": SeriesFeature(length=4)}
HEAT = [[1.0, 2.0, 3.0, 4.0, 5.0], [3.0, 5.0], [], None, [2.0, NAN, 4.0], [NAN, NAN, 3.0]]
LOAD = [[100.0], [7.0, 7.0, 7.0], [], [7.0], [7.0] * 3, [NAN]]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    columns = {"heat": HEAT, "load": LOAD, "y": [float(number) for number in range(len(HEAT))]}
    return of_table(tmp_path_factory.mktemp("series"), {"train": columns}, FEATURES, "y", Regression())


@pytest.fixture(scope="module")
def served(table):
    def answer(heat, load):
        return table.served({"heat": heat, "load": load})[names.SERIES]

    return answer


def test_the_newest_numbers_count_newest_first_as_distances_from_the_median(served):
    heat = served([[1.0, 2.0, 3.0, 4.0, 5.0], [9.0, 9.0, 2.0, 3.0, 4.0, 5.0]], [[], []])[..., 0]
    scale = heat[0, 0] - heat[0, 1]
    assert scale > 0
    np.testing.assert_allclose(heat, [[2 * scale, scale, 0, -scale]] * 2, atol=1e-6)


def test_what_is_far_off_grows_as_the_logarithm_and_never_ends_a_training(served):
    far = served([[1e6, float("inf")]] * 2, [[7.0]] * 2)
    assert np.isfinite(far).all()
    assert 10 < far[0, 1, 0] < 1000


def test_a_missing_number_is_the_median_with_a_mark_and_keeps_its_place(served):
    row = served([[2.0, NAN, 4.0]], [[7.0] * 3])[0]
    assert row[:, 2].tolist() == [0, 1, 0, 0]
    assert row[1, 0] == 0
    assert row[0, 0] > 0 > row[2, 0]
    assert row[:, 4].tolist() == [1, 1, 1, 0]


def test_nothing_is_in_front_of_the_first_number_that_any_series_has(served):
    row = served([[5.0]], [[7.0, 8.0, 7.0]])[0]
    assert row[:, 4].tolist() == [1, 1, 1, 0]
    assert row[:, 2].tolist() == [0, 1, 1, 0]  # `heat` is shorter than `load`, so it is missing there
    assert not row[3].any()


@pytest.mark.parametrize("padding", [[NAN], [NAN] * 9])
def test_missing_numbers_in_front_are_padding(served, padding):
    np.testing.assert_array_equal(served([[*padding, 3.0, 5.0]], [[*padding, 7.0]]), served([[3.0, 5.0]], [[7.0]]))


@pytest.mark.parametrize("empty", [[], None, [NAN, NAN]])
def test_a_row_without_any_number_is_all_padding(served, empty):
    assert not served([[3.0], empty], [[7.0], empty])[1].any()


def test_what_is_trained_on_is_what_is_served(table, served):
    written, again = table.written("train"), served(HEAT, LOAD)
    order = np.argsort(written[names.LABEL])
    np.testing.assert_array_equal(written[names.SERIES][order], again)
