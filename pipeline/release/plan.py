"""What a release makes of a model's entry: values to values.

listed(model, 5)            5 is loaded beside what the labels use; no label has moved
moved(model, "stable", 5)   the label is on 5; what `stable` was is remembered, and kept loaded for a rollback
rolled_back(model)          `stable` is on what it was before, and that step is forgotten: the next rollback goes one further back

A version that neither a label nor the next rollback needs is no longer listed, so the server lets it go. At most three are loaded
unless labels alone need more: while a third one arrives, the rollback's has to make room.
"""

import dataclasses
from collections.abc import Iterable

from pipeline.release.served_config import STABLE, ServedModel

MOST_LOADED = 3
MOST_REMEMBERED = 10


def listed(model: ServedModel, version: int) -> ServedModel:
    """`version` listed beside those that labels use."""
    return _listing(model, [*model.labels.values(), version])


def moved(model: ServedModel, label: str, version: int) -> ServedModel:
    """`label` on `version`."""
    before = model.labels.get(label)
    history = (*model.history, before)[-MOST_REMEMBERED:] if label == STABLE and before is not None else model.history
    return _with_labels(model, {**model.labels, label: version}, history)


def rolled_back(model: ServedModel) -> ServedModel:
    """`stable` on the version before; there must be one in `model.history`."""
    return _with_labels(model, {**model.labels, STABLE: model.history[-1]}, model.history[:-1])


def is_listed(model: ServedModel, version: int) -> bool:
    """Whether servers have been told to keep it loaded, whatever else is pushed."""
    return model.policy == "specific" and version in model.versions


def _with_labels(model: ServedModel, labels: dict[str, int], history: tuple[int, ...]) -> ServedModel:
    return _listing(dataclasses.replace(model, labels=labels, history=history), labels.values())


def _listing(model: ServedModel, needed: Iterable[int]) -> ServedModel:
    versions = set(needed)
    if model.history and len(versions) < MOST_LOADED:
        versions.add(model.history[-1])
    return dataclasses.replace(model, policy="specific", versions=tuple(sorted(versions)))
