"""Weights of n-grams by how many texts have them, and n-grams that too few have."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.transform_run import of_table
from trainer.features import names, table_sizes
from trainer.features.text import BUCKETS, TextFeature
from trainer.tasks import Regression

TEXTS = ["red red fish", "red cat", "red dog", None, "blue dog", "red whale"]
LENGTH = 6
WORDS = {"words": 1, "characters": None, "length": LENGTH}
FEATURES = {
    "common": TextFeature(**WORDS, min_documents=2),
    "plain": TextFeature(**WORDS),
    "weighted": TextFeature(**WORDS, weights="tf_idf"),
    "weighted common": TextFeature(**WORDS, weights="tf_idf", min_documents=2),
}
INPUT = {name: "" if place == 0 else f"_{place + 1}" for place, name in enumerate(FEATURES)}


@pytest.fixture(scope="module")
def found(table):
    return table.served({name: [*TEXTS, "red unheard-of red"] for name in FEATURES})


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    columns = {**dict.fromkeys(FEATURES, TEXTS), "y": [float(number) for number in range(6)]}
    return of_table(tmp_path_factory.mktemp("texts"), {"train": columns}, FEATURES, "y", Regression())


def buckets(*words):
    numbers = [int(tf.strings.to_hash_bucket_fast(b"\x1f" + word.encode(), BUCKETS - 1)) + 1 for word in words]
    return numbers + [0] * (LENGTH - len(numbers))


def weights(*documents):
    """Scikit-learn's smooth idf of n-grams that so many of the six texts have."""
    return [1 + math.log((len(TEXTS) + 1) / (count + 1)) for count in documents] + [0] * (LENGTH - len(documents))


def test_an_ngram_weighs_more_the_fewer_texts_have_it_and_counts_as_often_as_it_occurs(found):
    name = INPUT["weighted"]
    assert found[names.TOKENS + name][0].tolist() == buckets("red", "red", "fish")
    np.testing.assert_allclose(found[names.NGRAM_WEIGHTS + name][0], weights(4, 4, 1), rtol=1e-6)
    np.testing.assert_allclose(found[names.NGRAM_WEIGHTS + name][4], weights(1, 2), rtol=1e-6)
    assert not found[names.NGRAM_WEIGHTS + name][3].any()
    np.testing.assert_allclose(found[names.NGRAM_WEIGHTS + name][6], weights(4, 4), rtol=1e-6)  # none has the words between them


@pytest.mark.parametrize("name", ["common", "weighted common"])
def test_an_ngram_that_too_few_texts_have_is_left_out_and_makes_room(found, name):
    tokens = found[names.TOKENS + INPUT[name]]
    assert [row.tolist() for row in tokens] == [
        *(buckets("red", "red"), buckets("red"), buckets("red", "dog"), buckets(), buckets("dog"), buckets("red"), buckets("red", "red"))
    ]
    if FEATURES[name].weights == "tf_idf":
        np.testing.assert_allclose(found[names.NGRAM_WEIGHTS + INPUT[name]][2], weights(4, 2), rtol=1e-6)


def test_only_texts_with_weights_have_an_input_for_them(table, found):
    assert {name for name in found if name.startswith(names.NGRAM_WEIGHTS)} == {"ngram_weights_3", "ngram_weights_4"}
    assert table_sizes(table.graph) == {"tokens" + number: BUCKETS for number in INPUT.values()}
    assert [feature.learns_from_data for feature in FEATURES.values()] == [True, False, True, True]


def test_a_split_is_weighted_as_a_served_row_is(table):
    written, served = table.written("train"), table.served(dict.fromkeys(FEATURES, TEXTS))
    for name, values in served.items():
        np.testing.assert_allclose(np.sort(written[name], axis=0), np.sort(values, axis=0), rtol=1e-6, err_msg=name)
