"""What can be set of a category, and crosses: the vocabulary's limits, buckets for unknown values, hashing, one-hot."""

import collections

import numpy as np
import pytest

from tests.trainer.transform_run import of_table
from trainer.features import names, table_sizes
from trainer.features.category import CategoryFeature
from trainer.features.cross import CrossFeatures
from trainer.features.number import NumberFeature
from trainer.tasks import Regression

# 8 a, 4 b, 2 c, 1 d, 1 e; and in `other` the same letters as often, but each another one's number of times.
LETTERS = ["a"] * 8 + ["b"] * 4 + ["c"] * 2 + ["d", "e"]
OTHERS = ["e"] * 8 + ["d"] * 4 + ["c"] * 2 + ["b", "a"]
MANY = [f"user {number}" for number in range(16)]
FEATURES = {
    "common": CategoryFeature(min_count=2),
    "hashed": CategoryFeature(hashed=50),
    "one": CategoryFeature(encoding="one_hot"),
    "plain": CategoryFeature(),
    "size": NumberFeature(buckets=2),
    "top": CategoryFeature(max_size=2, unknown=20),
    "top other": CategoryFeature(max_size=2),
    "two": CategoryFeature(encoding="one_hot", max_size=1),
}
CATEGORIES = [name for name, feature in FEATURES.items() if feature.kind == "category" and feature.encoding == "embedding"]
FIRST = {"common": 0, "hashed": 1, "plain": 51, "top": 52, "top other": 72}  # rows for unknown values, or for hashed ones
VALUES = 73  # the first row of the vocabularies
CROSSES = [CrossFeatures(of=("plain", "top other"), buckets=500), CrossFeatures(of=("hashed", "size"), buckets=100)]
TRAIN = {
    "common": LETTERS,
    "hashed": MANY,
    "one": OTHERS,
    "plain": LETTERS,
    "size": [*(float(number) for number in range(15)), None],
    "top": LETTERS,
    "top other": OTHERS,
    "two": LETTERS,
    "y": [float(number) for number in range(16)],
}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return of_table(tmp_path_factory.mktemp("encoded"), {"train": TRAIN}, FEATURES, "y", Regression(), CROSSES)


@pytest.fixture(scope="module")
def ask(table):
    """ask(**values): the transformed rows, of one column its `names.CATEGORIES` are asked for by `place`."""

    def served(**values):
        rows = len(next(iter(values.values())))
        return table.served({name: values.get(name.replace(" ", "_"), TRAIN[name][:rows]) for name in FEATURES})

    return served


def of(found, name):
    return found[names.CATEGORIES][:, CATEGORIES.index(name)].tolist()


def test_each_column_has_its_own_rows_and_the_table_says_how_many_there_are(table):
    found = table.served(TRAIN)
    assert table_sizes(table.graph) == {
        names.CATEGORIES: VALUES + 3 + 5 + 2 + 2,  # common, plain, top and top other
        names.ONE_HOT: 2 + 5 + 1,
        names.BUCKETS: 3,
        names.CROSSES: 600,
    }
    rows = [set(column) for column in found[names.CATEGORIES].T.tolist()]
    assert sum(map(len, rows)) == len(set().union(*rows))  # no row is two columns'


def test_a_value_that_is_rarer_than_min_count_is_unknown(ask):
    received = of(ask(common=["a", "b", "c", "d", "e", "x"]), "common")
    assert received[3:] == [FIRST["common"]] * 3
    assert len(set(received[:3])) == 3
    assert min(received[:3]) >= VALUES


def test_max_size_keeps_the_most_frequent_values_of_each_column(ask):
    found = ask(top=["a", "b", "c", "d", "e"], top_other=["e", "d", "c", "b", "a"])
    known = [row for row in of(found, "top") + of(found, "top other") if row >= VALUES]
    assert [row >= VALUES for row in of(found, "top")] == [True, True, False, False, False]
    assert [row >= VALUES for row in of(found, "top other")] == [True, True, False, False, False]
    assert len(set(known)) == 4
    assert set(of(found, "top other")[2:]) == {FIRST["top other"]}


def test_unknown_values_share_the_buckets_by_hash(ask):
    unknown = [f"new {number}" for number in range(200)]
    received = of(ask(**{name.replace(" ", "_"): unknown for name in FEATURES if name != "size"}, size=[1.0] * 200), "top")
    assert set(received) == set(range(FIRST["top"], FIRST["top"] + 20))
    assert received == of(ask(**{name.replace(" ", "_"): unknown for name in FEATURES if name != "size"}, size=[1.0] * 200), "top")


def test_a_hashed_column_has_no_vocabulary_and_known_values_are_no_others_than_new_ones(table, ask):
    received = of(ask(hashed=[*MANY[:8], *(f"new {number}" for number in range(8))]), "hashed")
    assert all(FIRST["hashed"] <= row < FIRST["hashed"] + 50 for row in received)
    assert len(set(received)) > 8
    assert of(table.served(TRAIN), "hashed")[:8] == received[:8]


def test_a_feature_that_is_hashed_needs_no_look_at_the_data():
    assert not CategoryFeature(hashed=50).learns_from_data
    assert CategoryFeature(unknown=50).learns_from_data


def test_one_hot_features_have_a_table_of_their_own(ask):
    received = ask(one=["a", "b", "x", ""], two=["a", "b", "x", "a"])[names.ONE_HOT]
    assert received[2:, 0].tolist() == [0, 0]
    assert received[1:3, 1].tolist() == [1, 1]
    assert received[0, 1] == received[3, 1]
    assert len({*received[:2, 0], received[0, 1], 0, 1}) == 5


def test_a_cross_tells_combinations_apart_not_values(ask):
    found = ask(plain=["a", "a", "b", "b", "a"], top_other=["a", "b", "a", "b", "a"])[names.CROSSES][:, 0].tolist()
    assert len(set(found[:4])) == 4
    assert found[0] == found[4]
    assert all(0 <= row < 500 for row in found)


def test_a_number_is_crossed_by_its_bucket(ask):
    found = ask(hashed=["user 1"] * 4, size=[0.0, 3.0, 14.0, None])[names.CROSSES][:, 1].tolist()
    assert found[0] == found[1]
    assert len(set(found)) == 3
    assert all(500 <= row < 600 for row in found)


def test_a_split_is_encoded_as_a_served_row_is(table):
    written, served = table.written("train"), table.served(TRAIN)
    rows = [
        collections.Counter(map(tuple, np.concatenate([part[name] for name in sorted(served) if part[name].dtype == np.int64], 1).tolist()))
        for part in (written, served)
    ]
    assert rows[0] == rows[1]
