"""What networks of columns begin with: every input as vectors beside each other, so that one row of values goes on.

numbers with their ranks -> a vector each; categories, buckets, crosses -> a learnt vector each; places -> a vector of zeros and ones
texts -> the bag of their n-grams; pictures -> what a residual network sees; other vectors -> as they are
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf
from keras import layers

from trainer.config import Augmentation
from trainer.errors import ConfigError
from trainer.features import names
from trainer.models import resnet
from trainer.models.ngrams import NgramBag

# The inputs that are more than plain numbers.
NUMBERS = "numbers"  # float32 (n,), near 0
RANKS = "ranks"  # float32 (n,), the place of each of them among the training split's, 0 to 1
CATEGORIES = "categories"  # int64 (m,), rows of one table of embeddings
BUCKETS = "buckets"  # the same, of another table
CROSSES = "crosses"  # the same
ONE_HOT = "one_hot"  # int64 (k,), places that are 1 in a vector of zeros, which all of them share
_TABLES = {CATEGORIES: "category_embedding", BUCKETS: "bucket_embedding", CROSSES: "cross_embedding"}  # the layers' names
PLACES = (*_TABLES, ONE_HOT)

BINS = 48  # of equally many training rows each
EMBEDDING = 16  # of a number or a category
TEXT = 64  # values of a text's vector
_WIDEST = 2048  # embedded values of a row; where there are hundreds of columns, their vectors are shorter


def encoded(
    tensors: Mapping[str, keras.KerasTensor], sizes: Mapping[str, int], dropout: float, augment: Sequence[Augmentation] = ()
) -> tuple[keras.KerasTensor, list[int]]:
    """All inputs as one vector (batch, values), and how many values each column has in it.

    Args:
      tensors: any of the inputs above, texts' `tokens` with or without weights, pictures, and vectors, float32 (batch, n), as `missing`.
      sizes: of each input of places how many there are, as `categories` or, with n-grams, `tokens`.
      dropout: share of a text's n-grams left out while training.
      augment: what is done to pictures at random while training.
    """
    columns = sum(tensors[name].shape[1] for name in (NUMBERS, *_TABLES) if name in tensors)
    width = max(1, min(EMBEDDING, _WIDEST // max(columns, 1)))
    parts, widths = [], []
    left = dict(tensors)
    if NUMBERS in tensors and RANKS in tensors:
        parts.append(NumberEmbedding(width, BINS, name="number_embedding")(left.pop(NUMBERS), left.pop(RANKS)))
        widths += [width] * tensors[NUMBERS].shape[1]
    for name in (name for name in _TABLES if name in tensors):
        table = layers.Embedding(sizes[name], width, keras.initializers.RandomNormal(stddev=width**-0.5), name=_TABLES[name])
        parts.append(layers.Flatten()(table(left.pop(name))))
        widths += [width] * tensors[name].shape[1]
    if ONE_HOT in tensors:
        parts.append(layers.CategoryEncoding(sizes[ONE_HOT], "multi_hot", name=ONE_HOT + "_encoding")(left.pop(ONE_HOT)))
        widths += [1] * sizes[ONE_HOT]
    for name, own in names.text_inputs(tensors).items():
        parts.append(NgramBag(sizes[name], TEXT, dropout, name=f"{name}_bag")(*(left.pop(each) for each in own)))
        widths += [1] * TEXT
    for name in [name for name, tensor in tensors.items() if len(tensor.shape) == 4]:
        parts.append(resnet.features(left.pop(name), augment))
        widths += [1] * parts[-1].shape[-1]
    for name, tensor in left.items():
        parts.append(tensor)
        widths += [1] * tensors[name].shape[1]
    return layers.Concatenate()(parts) if len(parts) > 1 else parts[0], widths


def check(inputs: Mapping[str, tf.io.FixedLenFeature], sizes: Mapping[str, int], model: str, ranks: tuple[int, ...] = (1, 3)) -> None:
    """Raises ConfigError where an input of the model called `model` is of another rank, there is none, or a table's size is not given."""
    others = {name: feature for name, feature in inputs.items() if len(feature.shape) not in ranks}
    if not inputs or others:
        wanted = "vectors or pictures" if 3 in ranks else "vectors"
        received = ", ".join(f"{name} {tuple(feature.shape)}" for name, feature in others.items())
        raise ConfigError(
            f"Expected one or more {wanted} as features for `trainer.model: {model}`. Received: {received or 'none'}. "
            "Choose another `trainer.model`."
        )
    for name in PLACES:
        if name in inputs and name not in sizes:
            raise ConfigError(f"Expected `sizes['{name}']`, the number of different {name}. Received: {dict(sizes)}.")


@keras.saving.register_keras_serializable("tapeline")
class NumberEmbedding(layers.Layer):
    """A vector of a number: a linear function of it, plus a piecewise-linear one of its rank that starts as 0 (arXiv:2203.05556).

    The second part can bend at each quantile, so that the layers after it need not find thresholds as trees do.
    """

    def __init__(self, width: int, bins: int, **kwargs: object) -> None:
        super().__init__(autocast=False, **kwargs)  # of the inputs: 16 bits are too few to tell where in a bin a rank is
        self.width, self.bins = width, bins

    def build(self, numbers_shape: tuple[int | None, ...], ranks_shape: tuple[int | None, ...]) -> None:
        """Makes the weights, for each column its own."""
        columns = numbers_shape[-1]
        for name in ("scale", "offset"):
            setattr(self, name, self.add_weight((columns, self.width), uniform(self.width), name=name))
        self.slopes = self.add_weight((columns, self.bins, self.width), "zeros", name="slopes")

    def call(self, numbers: tf.Tensor, ranks: tf.Tensor) -> tf.Tensor:
        """float32 (batch, columns), twice -> (batch, columns * width)."""
        filled = tf.clip_by_value(tf.transpose(ranks)[..., tf.newaxis] * self.bins - tf.range(self.bins, dtype=ranks.dtype), 0, 1)
        numbers, filled, scale, offset, slopes = (
            tf.cast(each, self.compute_dtype) for each in (numbers, filled, self.scale, self.offset, self.slopes)
        )
        bent = tf.transpose(tf.matmul(filled, slopes), [1, 0, 2])
        return tf.reshape(numbers[..., tf.newaxis] * scale + offset + bent, [-1, numbers.shape[1] * self.width])

    def get_config(self) -> dict[str, object]:
        """The arguments."""
        return {**super().get_config(), "width": self.width, "bins": self.bins}


def uniform(inputs: int) -> keras.initializers.Initializer:
    """How weights that `inputs` values go into begin."""
    limit = 1 / math.sqrt(inputs)
    return keras.initializers.RandomUniform(-limit, limit)
