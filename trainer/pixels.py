"""Pictures' values as one byte each while their rows wait: a quarter of the memory and of the disk.

the first rows' float32 pixels -> by which arithmetic of whole numbers from 0 to 255 every bit of them comes back, as Transform normalized
    them -> uint8 of all rows -> the same float32 pixels, a batch at a time
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from trainer.features import names
from trainer.features.image import normalized

Values = Callable[[tf.Tensor], tf.Tensor]  # uint8 (..., channels) -> float32 of the same shape, as Transform has them

_LEVELS = 256
_HIGHEST = np.uint8(255)
_SAMPLE = 1 << 20  # values of a channel that are looked at
_ULPS = 8  # how far the mean and the deviation that are reckoned from rounded values may be off
_FEW = 8  # levels, on which most candidates fail
_ROUNDING = 1e-3  # of a level; that of float32 is a thirtieth of it


def coding(inputs: Mapping[str, tf.Tensor]) -> dict[str, Values]:
    """For each picture among the inputs (batch, ...), by name, what makes its values of bytes; none for one that has another form."""
    found = {name: _coding(values.numpy()) for name, values in inputs.items() if names.is_picture(name)}
    return {name: values for name, values in found.items() if values}


def packed(inputs: Mapping[str, tf.Tensor], codings: Mapping[str, Values]) -> dict[str, tf.Tensor] | None:
    """The inputs (batch, ...) by name, those that have a coding as uint8; None where one would not come back to the bit."""
    result = dict(inputs)
    for name, values in codings.items():
        lowest, highest = values(tf.zeros((1, inputs[name].shape[-1]), tf.uint8)), values(tf.fill((1, inputs[name].shape[-1]), _HIGHEST))
        levels = tf.round((inputs[name] - lowest) * (255 / (highest - lowest)))
        result[name] = tf.cast(tf.clip_by_value(levels, 0, 255), tf.uint8)
        if not bool(tf.reduce_all(values(result[name]) == inputs[name])):
            return None
    return result


def unpacked(inputs: Mapping[str, tf.Tensor], codings: Mapping[str, Values]) -> dict[str, tf.Tensor]:
    """What `packed` was given."""
    return {name: codings[name](values) if name in codings else values for name, values in inputs.items()}


def _coding(pixels: np.ndarray) -> Values | None:
    if packed({"": tf.constant(pixels)}, {"": _scaled}):
        return _scaled
    with np.errstate(all="ignore"):  # of candidates that are no numbers
        found = [_standardized(np.unique(channel[:_SAMPLE])) for channel in pixels.reshape(-1, pixels.shape[-1]).T]
    if not all(found):
        return None
    mean, deviation = (tf.constant(each) for each in zip(*found, strict=True))
    return lambda codes: (tf.cast(codes, tf.float32) - mean) / deviation


def _scaled(codes: tf.Tensor) -> tf.Tensor:
    return normalized(codes, "scale")


def _standardized(values: np.ndarray) -> tuple[np.float32, np.float32] | None:
    """The mean and the deviation by which whole numbers from 0 to 255 became these values, float32, each once, rising.

    They stand in the transform graph alone, and rounding has left a few numbers that each may be. Some of the levels may be missing.
    """
    if not 2 <= len(values) <= _LEVELS or not np.isfinite(values).all():
        return None
    heights = values.astype(np.float64) - values[0]
    few = np.unique(np.linspace(0, len(values) - 1, _FEW).astype(int))
    for steps in range(len(values) - 1, _LEVELS):  # from the lowest level that is there to the highest
        places = heights * (steps / heights[-1])
        if np.abs(places - np.rint(places)).max() > _ROUNDING:
            continue
        deviations = _near(steps / heights[-1])[:, np.newaxis]
        for lowest in range(_LEVELS - steps):
            levels = (np.rint(places) + lowest).astype(np.float32)
            means = _near(lowest - values[0] * (steps / heights[-1]))[:, np.newaxis, np.newaxis]
            for mean, deviation in np.argwhere(((levels[few] - means) / deviations == values[few]).all(axis=-1)):
                if np.array_equal((levels - means[mean]) / deviations[deviation], values[np.newaxis]):
                    return np.float32(means[mean].item()), np.float32(deviations[deviation].item())
    return None


def _near(value: float) -> np.ndarray:
    """float32 (n,): `value` and the numbers next to it."""
    return (np.array(value, np.float32).view(np.int32) + np.arange(-_ULPS, _ULPS + 1, dtype=np.int32)).view(np.float32)
