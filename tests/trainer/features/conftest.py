"""One table with columns of every kind, through Transform once."""

import numpy as np
import pytest

from tests.trainer.transform_run import of_table
from trainer.features.category import CategoryFeature
from trainer.features.number import NumberFeature
from trainer.features.time import TimeFeature
from trainer.tasks import Regression

ROWS = 401
NUMBERS = {
    "plain": NumberFeature(),
    "sizes": NumberFeature(log=True),
    "gaps": NumberFeature(),
    "replaced": NumberFeature(missing=-5.0),
    "replaced sizes": NumberFeature(missing=1000.0, log=True),
    "infinite": NumberFeature(),
    "mostly zero": NumberFeature(),
    "constant": NumberFeature(),
    "empty": NumberFeature(),
}
CATEGORIES = dict.fromkeys(("都市", "colour", "shade"), CategoryFeature())
TIMES = {"seen at": TimeFeature(), "sold at": TimeFeature(order="day_first"), "never": TimeFeature()}
START = 1_700_000_000


def columns(rows, seed):
    random = np.random.default_rng(seed)

    def with_gaps(values):
        return [None if gap else value for value, gap in zip(values, random.random(len(values)) < 0.2, strict=True)]

    return {
        "plain": random.normal(50, 10, rows).tolist(),
        "sizes": (random.choice([-1, 1], rows) * random.lognormal(3, 4, rows)).tolist(),
        "gaps": with_gaps(random.exponential(2, rows).tolist()),
        "replaced": with_gaps(random.normal(0, 1, rows).tolist()),
        "replaced sizes": with_gaps(random.lognormal(3, 4, rows).tolist()),
        "infinite": np.where(random.random(rows) < 0.1, random.choice([np.inf, -np.inf, np.nan], rows), random.normal(size=rows)).tolist(),
        "mostly zero": np.where(random.random(rows) < 0.9, 0.0, random.uniform(1, 9, rows)).tolist(),
        "constant": [7.0] * rows,
        "empty": [None] * rows,
        "都市": random.choice(["東京", "大阪", "札幌"], rows, p=[0.6, 0.3, 0.1]).tolist(),
        "colour": with_gaps(random.choice(["red", "green"], rows, p=[0.7, 0.3]).tolist()),
        "shade": random.choice(["red", "dark red"], rows, p=[0.8, 0.2]).tolist(),
        "seen at": random.integers(START, START + 100 * 86_400, rows).tolist(),
        "sold at": with_gaps(random.integers(START, START + 800 * 86_400, rows).tolist()),
        "never": [None] * rows,
        "price": random.normal(size=rows).tolist(),
    }


@pytest.fixture(scope="session")
def train():
    """The train split's columns by name, lists with None where a value is missing."""
    return columns(ROWS, 0)


@pytest.fixture(scope="session")
def table(train, tmp_path_factory):
    """The Table of the columns above and an eval split of other rows."""
    return of_table(
        tmp_path_factory.mktemp("table"),
        {"train": train, "eval": columns(99, 1)},
        {**NUMBERS, **CATEGORIES, **TIMES},
        "price",
        Regression(),
    )


@pytest.fixture(scope="session")
def ask(table, train):
    """ask(**values): what the graph makes of rows with these columns, lists; the others are those of the first rows of the train split."""

    def served(values):
        rows = len(next(iter(values.values())))
        return table.served({name: values.get(name, train[name][:rows]) for name in table.problem.features})

    return served
