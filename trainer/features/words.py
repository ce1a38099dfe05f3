"""What of a text is told apart: letters in one case and one width, and its words."""

from __future__ import annotations

from trainer.lazy import tf

_FULL_WIDTH = (0xFF01, 0xFF5E)  # the code points of ASCII's printable characters in East Asian width, in ASCII's order
_FULL_WIDTH_SPACE = 0x3000
_TO_ASCII = 0xFEE0
_SIGN = r"[^\pL\pM\pN ]"  # what is neither a letter, a mark, a digit nor a space is a word of its own


def words_of(texts: tf.Tensor) -> tf.RaggedTensor:
    """String (batch, words) of normalized texts, string (batch,)."""
    return tf.strings.split(tf.strings.regex_replace(texts, _SIGN, r" \0 "))


def normalized(texts: tf.Tensor) -> tf.Tensor:
    """The texts as valid UTF-8 in lower case, with plain letters, digits, signs and spaces in place of full-width ones."""
    points = tf.strings.unicode_decode(texts, "UTF-8")
    lower = tf.strings.lower(tf.strings.unicode_encode(tf.ragged.map_flat_values(_plain, points), "UTF-8"), encoding="utf-8")
    return tf.strings.strip(tf.strings.regex_replace(lower, r"\s+", " "))


def _plain(points: tf.Tensor) -> tf.Tensor:
    """The code points with those of full-width ASCII as ASCII."""
    points = tf.where((points >= _FULL_WIDTH[0]) & (points <= _FULL_WIDTH[1]), points - _TO_ASCII, points)
    return tf.where(tf.equal(points, _FULL_WIDTH_SPACE), ord(" "), points)
