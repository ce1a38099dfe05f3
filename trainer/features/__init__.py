"""The kinds of features, one a file: a kind's settings, what Transform makes of it, and how a row holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from trainer.features.image import ImageFeature

if TYPE_CHECKING:
    from trainer.lazy import tf

KINDS = (ImageFeature,)
Feature = ImageFeature


def transform(features: Mapping[str, Feature], raw: Mapping[str, tf.Tensor | tf.SparseTensor]) -> dict[str, tf.Tensor]:
    """What the model gets of a row's raw features, (batch, ...) by transformed name; equal kinds are worked on together."""
    result = {}
    for kind in KINDS:
        own = {name: feature for name, feature in features.items() if isinstance(feature, kind)}
        if own:
            result |= kind.transform(own, {name: raw[name] for name in own})
    return result
