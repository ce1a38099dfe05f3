"""A text's words or characters in their order, for the models that read it so; a vocabulary numbers them.

normalized text -> its first words or characters -> the place of each in the vocabulary of the training split
"""

from __future__ import annotations

from trainer.features.kind import places_in_table
from trainer.features.words import words_of
from trainer.lazy import tf, tft

UNKNOWN = 1  # every token that the vocabulary does not have; 0 is padding
_FIRST = 2  # the most frequent token of the vocabulary


def tokens_of(texts: tf.Tensor, unit: str) -> tf.RaggedTensor:
    """String (batch, tokens) of normalized texts, string (batch,): their `words` or their `characters`."""
    return words_of(texts) if unit == "words" else tf.strings.unicode_split(texts, "UTF-8")


def places_of(tokens: tf.RaggedTensor, length: int, size: int, filename: str) -> tf.Tensor:
    """int64 (batch, length): each token's place from 2 on, 1 for one that is not in the vocabulary, then 0.

    Args:
      tokens: string (batch, tokens).
      length: how many of them there is room for.
      size: how many the vocabulary has at most, the most frequent ones of what there is room for.
      filename: what the vocabulary is called in the transform graph.
    """
    tokens = tokens[:, :length]
    vocabulary = tft.vocabulary(tokens.flat_values, top_k=size, vocab_filename=filename)
    places = tf.ragged.map_flat_values(lambda own: tft.apply_vocabulary(own, vocabulary, default_value=-1), tokens)
    places = tf.ragged.map_flat_values(lambda own: tf.where(own < 0, tf.constant(UNKNOWN, tf.int64), own + _FIRST), places)
    rows = tf.cast(tft.experimental.get_vocabulary_size_by_name(filename), tf.int64) + _FIRST
    return places_in_table(places.to_tensor(shape=(None, length)), rows)
