"""A category that is a whole number is the same one however a format has written it."""

import numpy as np
import pytest

from tests.trainer.transform_run import of_table
from trainer.features import names
from trainer.features.category import CategoryFeature
from trainer.features.cross import CrossFeatures
from trainer.tasks import Regression

FEATURES = {"code": CategoryFeature(), "hashed": CategoryFeature(hashed=1000), "one": CategoryFeature(encoding="one_hot")}
VALUES = ["1.0", "2.0", "-3", "1.00", "1.5", "v1.0", None, "10.0"]


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """ask(values): what the model gets of rows with each value in every column."""
    rows = dict.fromkeys(FEATURES, VALUES) | {"y": [float(number) for number in range(len(VALUES))]}
    crosses = [CrossFeatures(of=("code", "hashed"), buckets=1000)]
    table = of_table(tmp_path_factory.mktemp("whole"), {"train": rows}, FEATURES, "y", Regression(), crosses)
    return lambda values: table.served(dict.fromkeys(FEATURES, values))


@pytest.mark.parametrize("name", [names.CATEGORIES, names.ONE_HOT, names.CROSSES])
def test_a_zero_behind_the_point_makes_no_difference(ask, name):
    written = ask(["1", "2", "-3.0", "10"])[name]
    np.testing.assert_array_equal(written, ask(["1.0", "2.0", "-3", "10.0"])[name])
    assert len(np.unique(written[:, 0])) == 4


@pytest.mark.parametrize("name", [names.CATEGORIES, names.ONE_HOT, names.CROSSES])
def test_other_texts_stay_what_they_are(ask, name):
    values = ["1", "1.00", "1.5", "v1.0", None]
    assert len(np.unique(ask(values)[name][:, 0])) == len(values)
