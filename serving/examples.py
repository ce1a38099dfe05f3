"""tf.Examples from dicts, without TensorFlow.

A value's type decides the kind of list: str and bytes -> bytes_list, int and bool -> int64_list, float -> float_list; lists and arrays of
one of them likewise.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from serving.errors import InvalidArgumentError
from serving.prediction_pb2 import Example

Features = Mapping[str, Any]


def serialize_example(features: Features | bytes) -> bytes:
    """The bytes of a tf.Example; bytes are taken to be one already. Raises InvalidArgumentError."""
    if isinstance(features, bytes):
        return features
    example = Example()
    for name, value in features.items():
        _fill(example.features.feature[name], name, value)
    return example.SerializeToString(deterministic=True)


def _fill(feature: Any, name: str, value: Any) -> None:
    values = np.asarray(value).ravel().tolist() if isinstance(value, (np.ndarray, np.generic)) else value
    values = list(values) if isinstance(values, (list, tuple)) else [values]
    if all(isinstance(item, (str, bytes)) for item in values):
        feature.bytes_list.value.extend(item.encode() if isinstance(item, str) else item for item in values)
    elif all(isinstance(item, (int, np.integer)) for item in values):
        feature.int64_list.value.extend(int(item) for item in values)
    elif all(isinstance(item, (int, float, np.number)) for item in values):
        feature.float_list.value.extend(float(item) for item in values)
    else:
        kinds = sorted({type(item).__name__ for item in values})
        raise InvalidArgumentError(
            f"Feature '{name}': expected strings, bytes, integers or floats, of one kind. Received: {', '.join(kinds)}."
        )
