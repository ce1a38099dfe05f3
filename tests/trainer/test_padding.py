"""Texts are kept and trained without the zeros behind their n-grams, and the model answers as with them."""

import numpy as np
import tensorflow as tf

from trainer import padding
from trainer.rows import keep_rows

TOKENS = np.array([[3, 0, 4, 0, 0, 0], [0] * 6, [5, 6, 0, 0, 0, 0], [1, 2, 3, 4, 5, 6]])  # a 0 between two n-grams is one of them
WEIGHTS = np.where(TOKENS > 0, 0.5, 0).astype(np.float32)
INPUTS = {"tokens": TOKENS, "ngram_weights": WEIGHTS, "numbers": np.arange(8, dtype=np.float32).reshape(4, 2)}
LABELS = np.arange(4)


def rows(memory=float("inf")):
    return keep_rows(tf.data.Dataset.from_tensor_slices((INPUTS, LABELS)).batch(3), memory, float("inf"))


def test_a_batch_is_cut_behind_the_last_ngram_of_its_longest_text_and_other_inputs_stay_whole():
    cut = padding.trimmed({name: tf.constant(values[:3]) for name, values in INPUTS.items()})
    np.testing.assert_array_equal(cut["tokens"], TOKENS[:3, :3])
    np.testing.assert_array_equal(cut["ngram_weights"], WEIGHTS[:3, :3])
    np.testing.assert_array_equal(cut["numbers"], INPUTS["numbers"][:3])


def test_a_batch_of_empty_texts_keeps_one_place():
    assert padding.trimmed({"tokens": tf.constant(TOKENS[1:2])})["tokens"].shape == (1, 1)


def test_rows_in_memory_come_back_as_they_were_as_long_as_the_longest_of_them():
    got = rows().inputs(tf.constant([2, 0], tf.int64))
    assert {name: (values.dtype, values.shape[1]) for name, values in got.items()} == {
        "tokens": (tf.int64, 3),
        "ngram_weights": (tf.float32, 3),
        "numbers": (tf.float32, 2),
    }
    for name, values in got.items():
        np.testing.assert_array_equal(values, INPUTS[name][[2, 0], : values.shape[1]])


def test_rows_in_a_file_are_the_same_with_the_zeros():
    for name, values in rows(memory=0).inputs(tf.constant([3, 1, 2], tf.int64)).items():
        np.testing.assert_array_equal(values, INPUTS[name][[3, 1, 2]])


def test_memory_is_asked_for_the_ngrams_that_are_there_and_not_for_the_zeros():
    short = {"tokens": np.pad([[1]] * 100, [(0, 0), (0, 511)])}
    kept = keep_rows(tf.data.Dataset.from_tensor_slices((short, np.arange(100))).batch(50), short["tokens"].nbytes / 50, 0)
    assert kept is not None and kept.place == "in memory"
