"""Numbers that describe pictures, for statistics that otherwise know of their bytes alone: brightness, height, width, channels."""

import itertools
from collections.abc import Sequence

import pandas as pd
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.example_rows import rows, values

SEPARATOR = "\N{SYMBOL FOR UNIT SEPARATOR}"  # between the picture's feature and the number's name: no column's name has it
_MOST = 2_000


def described(split_uri: str, pictures: Sequence[str]) -> list[statistics_pb2.FeatureNameStatistics]:
    """Statistics of the first rows of a split, 2,000 at most.

    Args:
      split_uri: the folder of its TFRecords.
      pictures: the features that hold picture files.
    """
    if not pictures:
        return []
    found = [
        {f"{name}{SEPARATOR}{part}": number for name in pictures for part, number in _numbers(values(example, name)).items()}
        for example in itertools.islice(rows(split_uri), _MOST)
    ]
    numbers = pd.DataFrame([row for row in found if row], dtype="float32")
    return list(tfdv.generate_statistics_from_dataframe(numbers).datasets[0].features) if len(numbers) else []


def _numbers(files: Sequence[bytes | int | float]) -> dict[str, float]:
    """Of a row's picture; brightness is the mean of its values, 0 to 255."""
    if not files:
        return {}
    try:
        picture = tf.io.decode_image(files[0], expand_animations=False).numpy()
    except tf.errors.InvalidArgumentError:  # who reads the pictures says so
        return {}
    height, width, channels = picture.shape
    return {"brightness": float(picture.mean()), "height": height, "width": width, "channels": channels}
