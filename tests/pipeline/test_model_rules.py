"""A model and the features that it would be given: what does not fit is one line before the run, with what to set."""

import pytest

from pipeline.model_rules import model_fault
from trainer.features import Features

COLUMNS = {"area": "number", "colour": "category"}
BAG, SEQUENCE = {"review": "text"}, {"review": {"kind": "text", "sequence": 64}}
PICTURE = {"photo": "image"}


@pytest.mark.parametrize(
    ("model", "features"),
    [
        *((model, PICTURE) for model in ("mlp", "cnn", "resnet", "vit", "backbone", "tabular", "auto")),
        *((model, BAG) for model in ("text", "embedding_bag", "tabular", "linear", "auto")),
        *((model, SEQUENCE) for model in ("conv", "lstm", "transformer", "text", "tabular", "linear", "auto")),
        *((model, COLUMNS) for model in ("tabular", "linear", "wide_deep", "auto", "my_model.py:build")),
        ("wide_deep", {"area": {"kind": "number", "buckets": 5}}),
        *((model, {**COLUMNS, **BAG, "load": "series"}) for model in ("conv", "lstm", "transformer", "auto", "my_model.py:build")),
    ],
)
def test_a_model_that_suits_its_features_is_taken(model, features):
    assert model_fault(model, Features(by_name=features)) is None


@pytest.mark.parametrize(
    ("model", "features", "message"),
    [
        *(
            (model, COLUMNS, f"one picture as the only feature for `trainer.model: {model}`. Received: area (number), colour (category).")
            for model in ("mlp", "cnn", "resnet", "vit", "backbone")
        ),
        ("vit", {**PICTURE, "area": "number"}, "one picture as the only feature for `trainer.model: vit`. Received: photo (image), area"),
        ("embedding_bag", COLUMNS, "nothing but texts as features for `trainer.model: embedding_bag`. Received: area (number)"),
        (
            "lstm",
            {**SEQUENCE, "area": "number"},
            "a series, or nothing but texts, as features for `trainer.model: lstm`. Received: review (text), area",
        ),
        *(
            (model, {**COLUMNS, "load": "series"}, f"no series as features for `trainer.model: {model}`. Received: area (number), ")
            for model in ("tabular", "linear", "wide_deep", "text")
        ),
        *(
            (
                model,
                BAG,
                f"texts in their order for `trainer.model: {model}`. Received: 'review', a bag of n-grams. "
                "Set `features.review: {kind: text, sequence: 128}`.",
            )
            for model in ("conv", "lstm", "transformer")
        ),
        ("linear", PICTURE, "features other than pictures for `trainer.model: linear`. Received: photo (image). Try `auto`."),
        (
            "wide_deep",
            {"area": "number"},
            "categories, crosses, or numbers with `buckets` for `trainer.model: wide_deep`. Received: area (number). "
            "Set `features.area: {kind: number, buckets: 10}`, or try `auto`.",
        ),
    ],
)
def test_a_model_for_other_features_is_refused_in_one_line(model, features, message):
    fault = model_fault(model, Features(by_name=features))
    assert fault.startswith(f"trainer.model: Expected {message}")
    assert "\n" not in fault


def test_a_network_whose_range_is_counted_from_0_to_1_gets_no_standardised_pixels():
    fault = model_fault("backbone", Features(by_name={"photo": {"kind": "image", "normalize": "standardize"}}))
    assert fault.startswith("trainer.backbone: Expected pixels from 0 to 1")
    assert fault.endswith("Received: `normalize: standardize`. Set the picture's `normalize: scale`.")
