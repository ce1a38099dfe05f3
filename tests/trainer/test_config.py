"""What the sections of preprocessing and training say of themselves."""

import pytest

from trainer.features.image import ImageFeature


@pytest.mark.parametrize(("normalize", "learns"), [("scale", False), ("standardize", True)])
def test_only_statistics_of_the_pixels_are_learned_from_the_train_split(normalize, learns):
    assert ImageFeature(normalize=normalize).learns_from_data is learns
