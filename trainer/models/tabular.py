"""The model for tables: TabM-mini, an ensemble in one network, with piecewise-linear embeddings of numbers (arXiv:2410.24210, 2203.05556).

numbers, ranks, categories, buckets, crosses, texts, pictures -> a small vector each -> beside each other, with whatever else there is
    -> each member scales them its own way -> dense layers that all share -> a head for each member -> logits (batch, members, outputs)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from trainer.config import Augmentation
from trainer.errors import ConfigError
from trainer.features import names
from trainer.models import resnet
from trainer.models.members import Activation, Ensemble
from trainer.models.ngrams import NgramBag, model_inputs

# The inputs that are more than plain numbers.
NUMBERS = "numbers"  # float32 (n,), near 0
RANKS = "ranks"  # float32 (n,), the place of each of them among the training split's, 0 to 1
CATEGORIES = "categories"  # int64 (m,), rows of one table of embeddings
BUCKETS = "buckets"  # the same, of another table
CROSSES = "crosses"  # the same
ONE_HOT = "one_hot"  # int64 (k,), places that are 1 in a vector of zeros, which all of them share
_TABLES = {CATEGORIES: "category_embedding", BUCKETS: "bucket_embedding", CROSSES: "cross_embedding"}  # the layers' names

MEMBERS = 8
UNITS = 256
LAYERS = 3
BINS = 48  # of equally many training rows each
EMBEDDING = 16  # of a number or a category
TEXT = 64  # values of a text's vector
_WIDEST = 2048  # embedded values of a row; where there are hundreds of columns, their vectors are shorter


def build(
    inputs: Mapping[str, tf.io.FixedLenFeature],
    outputs: int,
    dropout: float,
    *,
    sizes: Mapping[str, int] = MappingProxyType({}),
    activation: Activation = "softmax",
    augment: Sequence[Augmentation] = (),
    **_: Any,
) -> keras.Model:
    """The model for any of the inputs above, texts' `tokens` with or without weights, pictures, and vectors, float32 (n,), as `missing`.

    Args:
      inputs: shape and dtype of a row of each input, by name.
      outputs: logits of one member.
      dropout: share of the units dropped after each dense layer while training.
      sizes: of each input of places how many there are, as `categories` or, with n-grams, `tokens`.
      activation: what makes probabilities of the logits; see `members.average`.
      augment: what is done to pictures at random while training.

    Returns:
      A model from the inputs by name (or the only one) to float32 logits (batch, members, outputs); see `members.Ensemble`.

    Raises:
      ConfigError: an input is neither a vector nor a picture, there is none, or how many places there are is not given.
    """
    _check(inputs, sizes)
    tensors = model_inputs(inputs)
    columns = sum(inputs[name].shape[0] for name in (NUMBERS, *_TABLES) if name in inputs)
    width = max(1, min(EMBEDDING, _WIDEST // max(columns, 1)))
    parts, widths = [], []
    left = dict(tensors)
    if NUMBERS in inputs and RANKS in inputs:
        parts.append(NumberEmbedding(width, BINS, name="number_embedding")(left.pop(NUMBERS), left.pop(RANKS)))
        widths += [width] * inputs[NUMBERS].shape[0]
    for name in (name for name in _TABLES if name in inputs):
        table = layers.Embedding(sizes[name], width, keras.initializers.RandomNormal(stddev=width**-0.5), name=_TABLES[name])
        parts.append(layers.Flatten()(table(left.pop(name))))
        widths += [width] * inputs[name].shape[0]
    if ONE_HOT in inputs:
        parts.append(layers.CategoryEncoding(sizes[ONE_HOT], "multi_hot", name=ONE_HOT + "_encoding")(left.pop(ONE_HOT)))
        widths += [1] * sizes[ONE_HOT]
    for name, own in names.text_inputs(inputs).items():
        parts.append(NgramBag(sizes[name], TEXT, dropout, name=f"{name}_bag")(*(left.pop(each) for each in own)))
        widths += [1] * TEXT
    for name in _pictures(inputs):
        parts.append(resnet.features(left.pop(name), augment))
        widths += [1] * parts[-1].shape[-1]
    for name, tensor in left.items():
        parts.append(tensor)
        widths += [1] * inputs[name].shape[0]
    x = layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
    x = MemberScale(MEMBERS, widths, name="member_scale")(x)
    for _ in range(LAYERS):
        x = layers.Dense(UNITS, activation="relu", kernel_initializer=keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform"))(x)
        x = layers.Dropout(dropout)(x)
    taken = tensors if len(tensors) > 1 else next(iter(tensors.values()))
    return Ensemble(taken, MemberHeads(outputs, name="logits")(x), activation=activation, name="tabular")


def _pictures(inputs: Mapping[str, tf.io.FixedLenFeature]) -> list[str]:
    return [name for name, feature in inputs.items() if len(feature.shape) == 3]


def _check(inputs: Mapping[str, tf.io.FixedLenFeature], sizes: Mapping[str, int]) -> None:
    taken = [name for name, feature in inputs.items() if len(feature.shape) == 1] + _pictures(inputs)
    if not inputs or len(taken) < len(inputs):
        others = ", ".join(f"{name} {tuple(feature.shape)}" for name, feature in inputs.items() if name not in taken)
        raise ConfigError(
            f"Expected one or more vectors or pictures as features for `trainer.model: tabular`. Received: {others or 'none'}. "
            "Choose another `trainer.model`."
        )
    for name in (*_TABLES, ONE_HOT):
        if name in inputs and name not in sizes:
            raise ConfigError(f"Expected `sizes['{name}']`, the number of different {name}. Received: {dict(sizes)}.")


@keras.saving.register_keras_serializable("tapeline")
class NumberEmbedding(layers.Layer):
    """A vector of a number: a linear function of it, plus a piecewise-linear one of its rank that starts as 0 (arXiv:2203.05556).

    The second part can bend at each quantile, so that the layers after it need not find thresholds as trees do.
    """

    def __init__(self, width: int, bins: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.width, self.bins = width, bins

    def build(self, numbers_shape: tuple[int | None, ...], ranks_shape: tuple[int | None, ...]) -> None:
        """Makes the weights, for each column its own."""
        columns = numbers_shape[-1]
        for name in ("scale", "offset"):
            setattr(self, name, self.add_weight((columns, self.width), _uniform(self.width), name=name))
        self.slopes = self.add_weight((columns, self.bins, self.width), "zeros", name="slopes")

    def call(self, numbers: tf.Tensor, ranks: tf.Tensor) -> tf.Tensor:
        """float32 (batch, columns), twice -> (batch, columns * width)."""
        filled = tf.clip_by_value(tf.transpose(ranks)[..., tf.newaxis] * self.bins - tf.range(self.bins, dtype=ranks.dtype), 0, 1)
        bent = tf.transpose(tf.matmul(filled, self.slopes), [1, 0, 2])
        return tf.reshape(numbers[..., tf.newaxis] * self.scale + self.offset + bent, [-1, numbers.shape[1] * self.width])

    def get_config(self) -> dict[str, object]:
        """The arguments."""
        return {**super().get_config(), "width": self.width, "bins": self.bins}


@keras.saving.register_keras_serializable("tapeline")
class MemberScale(layers.Layer):
    """What makes the members different: each multiplies its inputs by factors of its own, which start random.

    `widths` says how many values belong to each column, for these start with one factor.
    """

    def __init__(self, members: int, widths: list[int], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.members, self.widths = members, list(widths)

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Makes the factors."""
        normal = keras.initializers.RandomNormal(stddev=1.0)

        def by_column(shape: tuple[int, ...], dtype: str | None = None) -> tf.Tensor:
            return tf.repeat(normal((self.members, len(self.widths)), dtype), self.widths, axis=1)

        self.factors = self.add_weight((self.members, shape[-1]), by_column, name="factors")

    def call(self, values: tf.Tensor) -> tf.Tensor:
        """(batch, values) -> (batch, members, values)."""
        return values[:, tf.newaxis] * self.factors

    def get_config(self) -> dict[str, object]:
        """The arguments."""
        return {**super().get_config(), "members": self.members, "widths": self.widths}


@keras.saving.register_keras_serializable("tapeline")
class MemberHeads(layers.Layer):
    """A dense layer for each member."""

    def __init__(self, outputs: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.outputs = outputs

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Makes the weights."""
        _, members, units = shape
        self.kernel = self.add_weight((members, units, self.outputs), _uniform(units), name="kernel")
        self.bias = self.add_weight((members, self.outputs), "zeros", name="bias")

    def call(self, values: tf.Tensor) -> tf.Tensor:
        """(batch, members, units) -> (batch, members, outputs)."""
        return tf.transpose(tf.matmul(tf.transpose(values, [1, 0, 2]), self.kernel), [1, 0, 2]) + self.bias

    def get_config(self) -> dict[str, object]:
        """The arguments."""
        return {**super().get_config(), "outputs": self.outputs}


def _uniform(inputs: int) -> keras.initializers.Initializer:
    limit = 1 / math.sqrt(inputs)
    return keras.initializers.RandomUniform(-limit, limit)
