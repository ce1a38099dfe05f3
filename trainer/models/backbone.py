"""A network that was trained elsewhere, and a layer for this data's classes or number above it: fine-tuning.

picture -> as many channels and the range of values that the network takes -> the network, a file of Keras or a SavedModel
    -> the mean of each channel, where it gives maps of them -> dropout -> logits
"""

import re
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from trainer.backbone_config import BackboneConfig
from trainer.cause import one_line
from trainer.config import BACKBONE, Augmentation
from trainer.errors import ConfigError
from trainer.models import precision
from trainer.models.augment import augmented
from trainer.models.picture import only_picture
from trainer.models.saved_network import SavedNetwork

_UNKNOWN = re.compile(r"Could not locate ((?:class|function) '[^']*')")  # in what Keras says, at whatever line
_COLOURS = 3  # channels
_SAID = (OSError, ValueError, TypeError, KeyError, AttributeError, ImportError, NotImplementedError, zipfile.BadZipFile, tf.errors.OpError)

Sides = tuple[int | None, ...]


def build(
    inputs: Mapping[str, tf.io.FixedLenFeature],
    outputs: int,
    dropout: float,
    *,
    backbone: BackboneConfig,
    augment: Sequence[Augmentation] = (),
    **_: Any,
) -> keras.Model:
    """Pixels (batch, height, width, channels), from 0 to 1 -> logits (batch, outputs). `backbone` is as `components.backbone` found it.

    The network computes in the precision that it was saved with, whatever the layers above it do.

    Raises:
      ConfigError: the network cannot be loaded, or takes no such pictures, or gives no features.
    """
    pixels = keras.Input(only_picture(inputs, BACKBONE))
    with precision.policy("float32"):  # of layers whose file says none
        network, taken = _loaded(backbone.path)
    x = _fitted(augmented(pixels, augment), taken, backbone)
    try:
        features = network(x)
    except _SAID as error:
        raise ConfigError(f"Expected `trainer.backbone` to take pictures {_shown(x.shape)}. Received: {one_line(error)}.") from None
    features = layers.Dropout(dropout)(_row(features, backbone.path))
    return keras.Model(pixels, layers.Dense(outputs, name="head")(features), name=BACKBONE)


def _loaded(path: str) -> tuple[keras.Layer, Sides | None]:
    """The network as one layer, all of it trainable, and the shape (batch, height, width, channels) that it takes, where it says one.

    No code of a file of Keras is run: `safe_mode` refuses Lambda layers, and a class of its own is one that Keras does not know.
    """
    try:
        if not path.endswith(".keras"):
            saved = SavedNetwork(path, name=BACKBONE)
            return saved, saved.taken
        loaded = keras.models.load_model(path, compile=False, safe_mode=True)
    except _SAID as error:
        unknown = _UNKNOWN.search(str(error))
        received = f"one of {unknown[1]}, which Keras does not know" if unknown else one_line(error).rstrip(".")
        if "Lambda" in received:  # Keras goes on with how to allow it, which nothing here can
            received = "one with a Lambda layer, which is code"
        elif path.endswith(".keras") and not zipfile.is_zipfile(path):
            received = "no file of Keras, which is a zip archive, or a damaged one"
        raise ConfigError(
            f"Expected a network that can be loaded without code of its own in `trainer.backbone`, '{path}'. Received: {received}."
        ) from None
    ends = [getattr(loaded, name, None) or [] for name in ("inputs", "outputs")]
    if [len(tensors) for tensors in ends] != [1, 1]:
        raise ConfigError(
            f"Expected a functional model of one picture in `trainer.backbone`, '{path}'. Received: {type(loaded).__name__} of "
            f"{len(ends[0])} inputs and {len(ends[1])} outputs. Save keras.Model(input, features)."
        )
    if not loaded.weights:
        raise ConfigError(f"Expected a network that has learnt in `trainer.backbone`. Received: '{path}', which has no weights.")
    network = keras.Model(loaded.inputs[0], loaded.outputs[0], name=BACKBONE)
    for layer in network._flatten_layers():  # each by itself, for one that is trainable tells those inside nothing new
        layer.trainable = True  # where it was frozen when it was saved, too: `trainer.freeze` decides it here
    return network, tuple(loaded.inputs[0].shape)


def _fitted(pixels: keras.KerasTensor, taken: Sides | None, backbone: BackboneConfig) -> keras.KerasTensor:
    """The pixels as the network takes them."""
    shape = tuple(pixels.shape)
    taken = taken or (None,) * len(shape)
    if len(taken) != len(shape) or taken[0] is not None:
        raise ConfigError(
            f"Expected `trainer.backbone` to take any number of pictures, (batch, height, width, channels). Received: "
            f"'{backbone.path}', which takes {_shown(taken)}. Use another one."
        )
    sides = [own if asked is None else asked for own, asked in zip(shape[1:3], taken[1:3], strict=True)]
    if list(shape[1:3]) != sides:
        raise ConfigError(
            f"Expected pictures of {sides[0]} x {sides[1]} pixels, as `trainer.backbone` takes them. Received: {shape[1]} x {shape[2]}. "
            f"Set the picture's `size: {sides}` in `features`, or `preprocessing.image_size` where there are none."
        )
    if taken[3] not in (None, shape[3]):
        if (shape[3], taken[3]) != (1, _COLOURS):
            raise ConfigError(
                f"Expected pictures of {taken[3]} channels, as `trainer.backbone` takes them. Received: {shape[3]}. "
                f"Set the picture's `channels: {1 if taken[3] == 1 else _COLOURS}`."
            )
        pixels = layers.Concatenate(dtype="float32", name="grey_as_colours")([pixels] * _COLOURS)
    low, high = backbone.range
    return pixels if (low, high) == (0, 1) else layers.Rescaling(high - low, low, dtype="float32", name="range")(pixels)


def _row(features: Any, path: str) -> keras.KerasTensor:
    """The features as (batch, width)."""
    shape = getattr(features, "shape", ())
    if len(shape) == 4 and shape[-1]:
        return layers.GlobalAveragePooling2D()(features)
    if len(shape) == 2 and shape[-1]:
        return features
    received = _shown(shape) if shape else type(features).__name__
    raise ConfigError(
        "Expected `trainer.backbone` to give features, (batch, width), or maps of them, (batch, height, width, channels), of a known width."
        f" Received: {received} of '{path}'. Use another one, as without its top."
    )


def _shown(shape: Sides) -> str:
    return f"({', '.join(str(side) if side is not None else '?' if place else 'batch' for place, side in enumerate(shape))})"
