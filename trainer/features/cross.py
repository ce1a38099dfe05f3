"""Crosses: what several columns say together, hashed, so that no vocabulary grows with the product of theirs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import pydantic
from pydantic import BeforeValidator, Field

from trainer.errors import did_you_mean
from trainer.features.kind import places_in_table
from trainer.lazy import tf
from trainer.settings import Settings

_BETWEEN = "\x1f"  # ASCII's unit separator


class CrossFeatures(Settings):
    """Several features whose values together are one more category."""

    of: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        min_length=2, description="The features: categories, and numbers that have `buckets`."
    )
    buckets: int = Field(1000, ge=2, le=1 << 20, description="The number of hash buckets that the combinations share.")

    @pydantic.field_validator("of", mode="before")
    @classmethod
    def _are_several(cls, of: Any) -> Any:
        if isinstance(of, list) and len(of) < 2:
            raise ValueError(
                f"crosses: Expected two features or more. Received: [{', '.join(map(str, of))}]. Name another one, or remove it."
            )
        return of


def _in_full(given: Any) -> Any:
    """`[colour, shape]` is short for `{of: [colour, shape]}`."""
    return {"of": given} if isinstance(given, list) else given


def _are_lists(given: Any) -> Any:
    if isinstance(given, list) and given and all(isinstance(each, str) for each in given):
        raise ValueError(f"crosses: Expected a list of lists of features. Received: '{given[0]}'. Did you mean [[{', '.join(given)}]]?")
    return given


_Cross = Annotated[CrossFeatures, BeforeValidator(_in_full, json_schema_input_type=list[str] | CrossFeatures)]
Crosses = Annotated[list[_Cross], BeforeValidator(_are_lists, json_schema_input_type=list[_Cross])]


def crossed(crosses: Sequence[CrossFeatures], texts: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """int64 (batch, crosses): rows of a table that has each cross's buckets.

    Args:
      crosses: what is crossed.
      texts: string (batch,) of each feature that stands in them, by its name.
    """
    starts = list(itertools.accumulate((cross.buckets for cross in crosses), initial=0))
    rows = [
        start + tf.strings.to_hash_bucket_fast(tf.strings.join([texts[name] for name in cross.of], _BETWEEN), cross.buckets)
        for start, cross in zip(starts, crosses, strict=False)
    ]
    return places_in_table(tf.stack(rows, axis=1), tf.constant(starts[-1], tf.int64))


def cross_fault(crosses: Sequence[CrossFeatures], features: Mapping[str, Any]) -> str | None:
    """What does not fit together, in one line: a cross of what is no feature, of one twice, or of one that has no categories."""
    for cross in crosses:
        for name in cross.of:
            feature = features.get(name)
            if feature is None:
                near = did_you_mean(name, features)
                return f"crosses: Expected features. Received: '{name}'.{near} Name it in `features` too."
            if feature.kind == "number" and feature.buckets is None:
                return (
                    f"crosses: Expected categories, or numbers with `buckets`. Received: '{name}', a number without. "
                    f"Set `features.{name}: {{kind: number, buckets: 10}}`."
                )
            if feature.kind not in ("category", "number"):
                return (
                    f"crosses: Expected categories, or numbers with `buckets`. Received: '{name}', of the kind `{feature.kind}`. Remove it."
                )
        if len(set(cross.of)) < len(cross.of):
            return f"crosses: Expected different features. Received: {', '.join(cross.of)}. Remove the one that is there twice."
    return None
