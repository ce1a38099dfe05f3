"""Texts: a bag of hashed n-grams of words and of characters, which needs no vocabulary and no idea of a language.

With `sequence` its words or characters in their order instead, see `trainer.features.sequence`.

text -> lower case, full-width letters and digits as plain ones, one space for several
     -> n-grams of its words, then n-grams of its characters -> the number of each one's bucket -> without rare ones, where asked for
     -> as many as there is room for
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

import pydantic
from pydantic import Field

from trainer.features import names
from trainer.features.kind import Kind, RawType, numbered, one_a_row, places_in_table
from trainer.features.sequence import places_of, tokens_of
from trainer.features.words import normalized, words_of
from trainer.lazy import tf, tft

BUCKETS = 1 << 16  # of n-grams; bucket 0 is padding
_WORD = b"\x1f"  # begins an n-gram of words, so that it has another bucket than the same characters inside a word

_OF_BAGS = ("words", "characters", "length", "weights", "min_documents")
_OF_SEQUENCES = ("tokens", "vocabulary")

Characters = Annotated[int, Field(ge=1, le=10)]


class TextFeature(Kind):
    """A text in any language; missing is an empty one."""

    raw_type: ClassVar[RawType] = "string"
    missing_value: ClassVar[float | bytes | None] = b""

    kind: Literal["text"] = Field("text", description="A text in any language.")
    words: int = Field(2, ge=0, le=5, description="The most words of an n-gram of words; 0 for none.")
    characters: Annotated[tuple[Characters, Characters], Field(strict=False)] | None = Field(
        (2, 4),
        description="The fewest and the most characters of an n-gram of characters, spaces included; `null` for none. They carry "
        "languages without spaces, and know the parts of words.",
    )
    length: int = Field(
        512,
        ge=1,
        le=1 << 16,
        description="The most n-grams of a text, for as many go into the model. Words come first, then longer n-grams of words, then those "
        "of characters; what is too much is left out.",
    )

    weights: Literal["equal", "tf_idf"] = Field(
        "equal",
        description="How much an n-gram counts: all `equal`, or `tf_idf`, those that few texts of the training split have more than those "
        "that nearly all have; those that none has are left out. In both an n-gram counts as often as it occurs.",
    )
    min_documents: int = Field(1, ge=1, description="How many texts of the training split must have an n-gram; rarer ones are left out.")
    sequence: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="The most words of a text, in their order, for the models that read texts so: `conv`, `lstm`, `transformer`. What is "
        "behind them is cut off. Without it, a text is a bag of n-grams, whose settings are those above.",
    )
    tokens: Literal["words", "characters"] = Field(
        "words", description="What `sequence` counts: words and signs, or characters, for languages without spaces."
    )
    vocabulary: int = Field(
        20_000,
        ge=1,
        le=1_000_000,
        description="The most words or characters that a `sequence` tells apart, the most frequent ones of the training split; all others "
        "are one.",
    )

    @pydantic.model_validator(mode="after")
    def _is_bag_or_sequence(self) -> Self:
        unused = _OF_BAGS if self.sequence else _OF_SEQUENCES
        for name in (name for name in unused if getattr(self, name) != type(self).model_fields[name].default):
            what, received = ("no", "both") if self.sequence else ("a", "none")
            raise ValueError(f"Expected {what} `sequence` of a `text` with `{name}`. Received: {received}. Remove `{name}`.")
        return self

    @pydantic.model_validator(mode="after")
    def _has_ngrams(self) -> Self:
        if not self.words and self.characters is None:
            raise ValueError("Expected n-grams of a `text`. Received: `words: 0` and `characters: null`. Set one of them.")
        if self.characters and self.characters[0] > self.characters[1]:
            low, high = self.characters
            raise ValueError(f"Expected `characters` of a `text` in rising order. Received: [{low}, {high}]. Did you mean [{high}, {low}]?")
        return self

    @property
    def learns_from_data(self) -> bool:
        """A hash decides each n-gram's bucket; only how many texts have it is learnt, and the vocabulary of a sequence."""
        return self.weights != "equal" or self.min_documents > 1 or self.sequence is not None

    @classmethod
    def transform(cls, features: Mapping[str, Self], raw: Mapping[str, tf.Tensor | tf.SparseTensor]) -> dict[str, tf.Tensor]:
        """`tokens`, int64 (batch, length), for each text: the buckets of its n-grams from 1 on, then 0.

        With weights `ngram_weights` beside them, float32 (batch, length), with 0 where there is no n-gram. For each text that is a
        sequence `sequence` instead, int64 (batch, sequence).
        """
        result = {}
        for index, (name, feature) in enumerate(features.items()):
            if feature.sequence:
                own, tokens = numbered(names.SEQUENCE, index), tokens_of(normalized(one_a_row(raw[name], b"")), feature.tokens)
                result[own] = places_of(tokens, feature.sequence, feature.vocabulary, own)
                continue
            buckets, shape = _buckets(one_a_row(raw[name], b""), feature), (None, feature.length)
            if feature.learns_from_data:
                counts, texts = _documents(buckets)
                buckets = tf.ragged.boolean_mask(buckets, _looked_up(counts, buckets) >= feature.min_documents)
                if feature.weights == "tf_idf":
                    rarity = tf.cast(1 + tf.math.log((texts + 1) / (counts + 1)), tf.float32)
                    result[numbered(names.NGRAM_WEIGHTS, index)] = _looked_up(rarity, buckets).to_tensor(shape=shape)
            result[numbered(names.TOKENS, index)] = places_in_table(buckets.to_tensor(shape=shape), tf.constant(BUCKETS, tf.int64))
        return result


def _looked_up(table: tf.Tensor, buckets: tf.RaggedTensor) -> tf.RaggedTensor:
    return tf.ragged.map_flat_values(lambda own: tf.gather(table, own), buckets)


def _buckets(texts: tf.Tensor, feature: TextFeature) -> tf.RaggedTensor:
    """int64 (batch, n-grams), from 1 on, of string (batch,)."""
    texts = normalized(texts)
    ngrams = []  # of each sort no more than there is room for, else a long text takes much memory for nothing
    if feature.words:
        words = words_of(texts)[:, : feature.length]
        ngrams.append(tf.strings.ngrams(words, list(range(1, feature.words + 1))))
        ngrams[0] = tf.ragged.map_flat_values(lambda values: tf.strings.join([_WORD, values]), ngrams[0])
    if feature.characters:
        low, high = feature.characters
        edged = tf.where(tf.equal(texts, b""), b"", tf.strings.join([b" ", texts, b" "]))  # how a text begins and ends says something
        characters = tf.strings.unicode_split(edged, "UTF-8")[:, : feature.length + low - 1]
        ngrams.append(tf.strings.ngrams(characters, list(range(low, high + 1)), separator=""))
    return tf.ragged.map_flat_values(tf.strings.to_hash_bucket_fast, tf.concat(ngrams, axis=1), BUCKETS - 1) + 1


def _documents(buckets: tf.RaggedTensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Of the training split: how many texts have an n-gram of each bucket, float64 (BUCKETS,), and how many texts there are."""
    rows = tf.cast(buckets.value_rowids(), tf.int64)
    once, _ = tf.unique(rows * BUCKETS + buckets.flat_values)
    counts = tf.math.bincount(tf.cast(once % BUCKETS, tf.int32), minlength=BUCKETS, maxlength=BUCKETS, dtype=tf.int64)
    counts = tft.sum(tf.ensure_shape(counts, (BUCKETS,))[tf.newaxis], reduce_instance_dims=False)
    texts = tft.sum(tf.fill([1], buckets.nrows(tf.int64)))
    return tf.cast(tf.ensure_shape(counts, (BUCKETS,)), tf.float64), tf.cast(texts, tf.float64)
