"""Pictures' values as one byte each while their rows wait: a quarter of the memory and of the disk, and less to fetch for a batch.

float32 pixels that `normalize: scale` made -> uint8, where each comes back to the bit -> the same float32 pixels
"""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from trainer.features import names
from trainer.features.image import normalized

_SCALE = "scale"


def packed(inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """The inputs (batch, ...) by name, pictures' pixels as uint8 where `unpacked` gives every bit of them back, else as they are."""
    return {name: _coded(values) if names.is_picture(name) else values for name, values in inputs.items()}


def unpacked(inputs: Mapping[str, tf.Tensor], specs: Mapping[str, tf.TensorSpec]) -> dict[str, tf.Tensor]:
    """What `packed` was given, which `specs` describe."""
    return {name: values if values.dtype == specs[name].dtype else normalized(values, _SCALE) for name, values in inputs.items()}


def _coded(values: tf.Tensor) -> tf.Tensor:
    codes = tf.cast(tf.round(values * 255), tf.uint8)
    return codes if bool(tf.reduce_all(normalized(codes, _SCALE) == values)) else values
