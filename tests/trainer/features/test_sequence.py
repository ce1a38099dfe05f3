"""Texts as sequences: words or characters in their order, numbered by a vocabulary of the training split, the same when served."""

import numpy as np
import pytest

from tests.trainer.transform_run import of_table
from trainer.features import names, table_sizes
from trainer.features.text import TextFeature
from trainer.tasks import Regression

TEXTS = ["The cat, the dog", "the cat", "the", None, "ok  ok ok ok ok ok ok", "太郎が本を"]
FEATURES = {  # numbered by their names in order
    "a words": TextFeature(sequence=5),
    "bag": TextFeature(),
    "characters": TextFeature(sequence=4, tokens="characters"),
    "few": TextFeature(sequence=3, vocabulary=2),
}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    columns = {**dict.fromkeys(FEATURES, TEXTS), "y": [float(number) for number in range(len(TEXTS))]}
    return of_table(tmp_path_factory.mktemp("texts"), {"train": columns}, FEATURES, "y", Regression())


@pytest.fixture(scope="module")
def served(table):
    return table.served({name: [*TEXTS, "dog the unheard-of", "太 本"] for name in FEATURES})


def test_words_keep_their_order_and_equal_ones_have_one_number_whatever_their_case(served):
    the, cat, comma, again, dog = served[names.SEQUENCE][0]
    assert the == again and len({the, cat, comma, dog}) == 4
    assert served[names.SEQUENCE][1].tolist() == [the, cat, 0, 0, 0]
    assert served[names.SEQUENCE][6].tolist() == [dog, the, 1, 1, 1]  # `unheard`, `-` and `of` are not in the training split
    assert min(the, cat, comma, dog) >= 2


def test_what_there_is_no_room_for_is_cut_off_and_a_missing_text_is_empty(served):
    assert len(set(served[names.SEQUENCE][4].tolist())) == 1
    assert served[names.SEQUENCE][4].all()
    assert not served[names.SEQUENCE][3].any()


def test_a_language_without_spaces_is_read_by_its_characters(served):
    taro, ro, ga, book = served["sequence_3"][5]
    assert len({taro, ro, ga, book}) == 4 and min(taro, ro, ga, book) >= 2
    space = served["sequence_3"][1][3]
    assert served["sequence_3"][7].tolist() == [taro, space, book, 0]
    assert space >= 2


def test_a_vocabulary_has_the_most_frequent_tokens_and_all_others_are_one(served, table):
    assert served["sequence_4"][0].tolist() == [2, 1, 1]  # `the`; `cat` is rarer, and so is the comma
    assert served["sequence_4"][4].tolist() == [3, 3, 3]
    sizes = table_sizes(table.graph)
    assert sizes["sequence_4"] == 4
    assert {name for name in sizes if name.startswith(names.SEQUENCE)} == {"sequence", "sequence_3", "sequence_4"}
    assert all(served[name].max() < size for name, size in sizes.items())


def test_a_bag_beside_sequences_stays_one(served):
    assert {name for name in served if name.startswith(names.TOKENS)} == {"tokens_2"}


def test_what_is_trained_on_is_what_is_served(table, served):
    written = table.written("train")
    for name in (names.SEQUENCE, "sequence_3", "sequence_4"):
        assert written[name].shape == served[name][: len(TEXTS)].shape
        np.testing.assert_array_equal(
            written[name][np.lexsort(written[name].T)], served[name][: len(TEXTS)][np.lexsort(served[name][: len(TEXTS)].T)]
        )
