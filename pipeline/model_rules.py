"""Whether a model is for the features that it would be given: a wrong pair is refused before the run, not after Transform."""

from typing import get_args

from trainer.config import BACKBONE, PictureModel, SequenceModel, TextModel
from trainer.features import Features
from trainer.reference import is_reference

_PICTURE, _TEXTS, _SEQUENCES = (get_args(names) for names in (PictureModel, TextModel, SequenceModel))


def model_fault(model: str, features: Features) -> str | None:
    """What does not fit, in a sentence that begins with its key; None for `auto` and for a model of the user's own."""
    kinds = list(features.kinds.values())
    others = "Try `auto`."
    if model in _PICTURE and kinds != ["image"]:
        return _fault(model, "one picture as the only feature", features, others)
    if model == BACKBONE and any(feature.normalize != "scale" for feature in features.by_name.values()):
        return (
            "trainer.backbone: Expected pixels from 0 to 1, which its `range` is counted from. Received: `normalize: standardize`. "
            "Set the picture's `normalize: scale`."
        )
    if "series" in kinds:
        is_taken = model in (*_SEQUENCES, "auto") or is_reference(model)
        return None if is_taken else _fault(model, "no series as features", features, "Try `lstm`.")
    if model in _TEXTS and set(kinds) != {"text"}:
        return _fault(model, "nothing but texts as features", features, others)
    if model in _SEQUENCES and set(kinds) != {"text"}:
        return _fault(model, "a series, or nothing but texts, as features", features, others)
    bags = [name for name, feature in features.by_name.items() if not getattr(feature, "sequence", None)]
    if model in _SEQUENCES and bags:
        return (
            f"trainer.model: Expected texts in their order for `trainer.model: {model}`. Received: '{bags[0]}', a bag of n-grams. "
            f"Set `features.{bags[0]}: {{kind: text, sequence: 128}}`."
        )
    if model == "linear" and "image" in kinds:
        return _fault(model, "features other than pictures", features, others)
    if model == "wide_deep" and not _has_places(features):
        near = next((name for name, kind in features.kinds.items() if kind == "number"), None)
        step = f"Set `features.{near}: {{kind: number, buckets: 10}}`, or try `auto`." if near else others
        return _fault(model, "categories, crosses, or numbers with `buckets`", features, step)
    return None


def _has_places(features: Features) -> bool:
    """Whether a feature gives rows of a table, each of which a linear model has a weight for."""
    return bool(features.crosses) or any(
        feature.kind == "category" or getattr(feature, "buckets", None) for feature in features.by_name.values()
    )


def _fault(model: str, expected: str, features: Features, step: str) -> str:
    received = ", ".join(f"{name} ({kind})" for name, kind in features.kinds.items())
    return f"trainer.model: Expected {expected} for `trainer.model: {model}`. Received: {received:.300}. {step}"
