"""Texts: which n-grams are taken of them, and how they become numbers."""

import numpy as np
import pydantic
import pytest
import tensorflow as tf

from trainer.errors import ConfigError
from trainer.features import Features, names
from trainer.features.text import BUCKETS, TextFeature


def tokens_of(texts, **settings):
    """int64 (texts, length), as the transform graph gives them."""
    features = Features(by_name={"review": TextFeature(**settings)})
    return features.transform({"review": tf.constant(texts)})[names.TOKENS].numpy()


def buckets_of(ngrams, length):
    """What `tokens` must be of these n-grams, in their order."""
    buckets = (tf.strings.to_hash_bucket_fast(tf.constant(ngrams, tf.string), BUCKETS - 1).numpy() + 1).tolist()[:length]
    return buckets + [0] * (length - len(buckets))


def ngrams_of(words, text, most_words, characters):
    """The n-grams in plain Python, shortest first: those of the list `words`, then those of the characters of `text`."""
    of_words = ["\x1f" + " ".join(words[at : at + n]) for n in range(1, most_words + 1) for at in range(len(words) - n + 1)]
    low, high = characters
    edged = f" {text} "
    return of_words + [edged[at : at + n] for n in range(low, high + 1) for at in range(len(edged) - n + 1)]


@pytest.mark.parametrize(
    ("text", "words", "normalized"),
    [
        ("Free entry!", ["free", "entry", "!"], "free entry!"),
        ("£5 prize, claim_now", ["£", "5", "prize", ",", "claim", "_", "now"], "£5 prize, claim_now"),
        ("  two \t words\n", ["two", "words"], "two words"),
        ("ÄRGER über Ø", ["ärger", "über", "ø"], "ärger über ø"),
        ("太郎が本を読んだ。", ["太郎が本を読んだ", "。"], "太郎が本を読んだ。"),
        ("ＡＢＣ　１２３！", ["abc", "123", "!"], "abc 123!"),
        ("हिन्दी में", ["हिन्दी", "में"], "हिन्दी में"),
        ("👍🏽 ok", ["👍", "🏽", "ok"], "👍🏽 ok"),
        ("a", ["a"], "a"),
    ],
    ids=["signs", "sign-words", "spaces", "accents", "japanese", "full-width", "marks", "emoji", "one-letter"],
)
def test_a_text_is_the_buckets_of_its_words_then_of_its_characters(text, words, normalized):
    [received] = tokens_of([text], length=80)
    assert received.tolist() == buckets_of(ngrams_of(words, normalized, 2, (2, 4)), 80)
    [received] = tokens_of([text], words=3, characters=[1, 2], length=80)
    assert received.tolist() == buckets_of(ngrams_of(words, normalized, 3, (1, 2)), 80)


def test_words_or_characters_can_be_left_out():
    [words], [characters] = tokens_of(["ab c"], characters=None, length=9), tokens_of(["ab c"], words=0, length=9)
    assert words.tolist() == buckets_of(["\x1fab", "\x1fc", "\x1fab c"], 9)
    assert characters.tolist() == buckets_of(ngrams_of([], "ab c", 0, (2, 4)), 9)


def test_a_text_without_anything_in_it_is_all_padding():
    assert not tokens_of(["", " ", "\n\t", "　"]).any()


@pytest.mark.parametrize("text", ["word " * 20_000, "あ" * 100_000, "a" * 100_000], ids=["words", "japanese", "one-word"])
def test_a_very_long_text_is_cut_and_full(text):
    [received] = tokens_of([text], length=64)
    assert received.shape == (64,)
    words = text.split()
    assert received.tolist() == buckets_of(ngrams_of(words[:64], " ".join(words)[:70], 2, (2, 4)), 64)


def test_bytes_that_are_no_utf_8_count_as_replacement_characters():
    np.testing.assert_array_equal(tokens_of([b"caf\xe9"]), tokens_of(["caf\ufffd"]))


def test_a_word_has_another_bucket_than_the_same_characters_inside_one():
    [word] = tokens_of(["ab"], characters=None, length=1)
    assert word[0] not in tokens_of(["cabd"], words=0)


def test_a_row_without_the_text_is_padding_and_each_text_has_an_input_of_its_own():
    sparse = tf.SparseTensor([[0, 0]], tf.constant([b"a title"]), [2, 1])
    features = Features(by_name={"title": TextFeature(length=20), "body": TextFeature(length=30)})
    received = features.transform({"title": sparse, "body": tf.constant([["a title"], ["a body"]])})
    assert {name: tuple(tensor.shape) for name, tensor in received.items()} == {"tokens": (2, 20), "tokens_2": (2, 30)}
    assert not received["tokens"][1].numpy().any()
    np.testing.assert_array_equal(received["tokens"][0], received["tokens_2"][0, :20])
    assert not features.learns_from_data


def test_the_shape_is_known_inside_a_graph():
    traced = tf.function(lambda texts: Features(by_name={"review": TextFeature(length=7)}).transform({"review": texts}))
    tokens = traced.get_concrete_function(tf.TensorSpec((None,), tf.string)).structured_outputs[names.TOKENS]
    assert tokens.shape.as_list() == [None, 7]
    assert tokens.dtype == tf.int64


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"words": 0, "characters": None}, r"Expected n-grams of a `text`\. Received: `words: 0` and `characters: null`\."),
        ({"characters": [4, 2]}, r"in rising order\. Received: \[4, 2\]\. Did you mean \[2, 4\]\?"),
        ({"characters": [0, 2]}, "greater than or equal to 1"),
    ],
)
def test_settings_that_give_no_ngrams_are_refused(settings, message):
    with pytest.raises((pydantic.ValidationError, ConfigError), match=message):
        TextFeature(**settings)
