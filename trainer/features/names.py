"""Names of features that the project itself gives; the others are the user's own."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

_Value = TypeVar("_Value")

# Of a raw tf.Example where the data has no columns: the names that TF-Slim's and the Object Detection API's image records use.
IMAGE = "image/encoded"  # bytes, a picture file
IMAGE_FORMAT = "image/format"  # bytes, b"png"
IMAGE_HEIGHT = "image/height"  # int64, pixels
IMAGE_WIDTH = "image/width"  # int64, pixels
IMAGE_LABEL = "image/class/label"  # int64, 0 <= label < number of classes

# After Transform: the names under which `preprocessing_fn` returns them.
PIXELS = "pixels"  # float32 (height, width, channels), of the first image feature
NUMBERS = "numbers"  # float32 (features,), see `trainer.features.number`
RANKS = "ranks"  # float32 (features,)
MISSING = "missing"  # float32 (features,)
BUCKETS = "buckets"  # int64 (features that have them,), see `trainer.features.buckets`
CATEGORIES = "categories"  # int64 (features,), see `trainer.features.category`
ONE_HOT = "one_hot"  # int64 (features,), the same, of those that are one-hot encoded
CROSSES = "crosses"  # int64 (crosses,), see `trainer.features.cross`
TIMES = "times"  # float32 (n,), see `trainer.features.time`
TOKENS = "tokens"  # int64 (n,), numbers of n-grams from 1 on, then 0, of the first text feature; `tokens_2` and so on of further ones
NGRAM_WEIGHTS = "ngram_weights"  # float32 (n,), how much each of them counts, where it is given; `ngram_weights_2` and so on
SEQUENCE = "sequence"  # int64 (n,), numbers of words or characters in their order, then 0; `sequence_2` and so on, as `tokens`
SERIES = "series"  # float32 (length, n), see `trainer.features.series`
LABEL = "label"  # int64 or float32, one or several, as the task says
WEIGHT = "weight"  # float32, how much the row counts in the loss; only where the config names a column of weights


def model_inputs(spec: Mapping[str, _Value]) -> dict[str, _Value]:
    """Of what Transform gives of a row, by name, that which the model is given: not what only the loss takes."""
    return {name: value for name, value in spec.items() if name not in (LABEL, WEIGHT)}


def text_inputs(inputs: Iterable[str]) -> dict[str, list[str]]:
    """Of the names of a model's inputs those that belong to a text, by the first of them.

    These are its tokens, with their weights if it has such, or its sequence.
    """
    inputs = list(inputs)
    tokens = [name for name in inputs if _is(TOKENS, name) or _is(SEQUENCE, name)]
    texts = {name: [name, NGRAM_WEIGHTS + name.removeprefix(TOKENS)] for name in tokens}
    return {name: [each for each in own if each in inputs] for name, own in texts.items()}


def is_picture(name: str) -> bool:
    """Whether it is a picture's name among a model's inputs."""
    return _is(PIXELS, name)


def sequence_inputs(inputs: Iterable[str]) -> list[str]:
    """Of the names of a model's inputs those of texts as sequences."""
    return [name for name in inputs if _is(SEQUENCE, name)]


def _is(plain: str, name: str) -> bool:
    """Whether it is the name that a kind's first feature has, or a further one's."""
    return name == plain or name.startswith(f"{plain}_")
