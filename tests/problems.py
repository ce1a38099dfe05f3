"""Problems for tests."""

from trainer.features import names
from trainer.features.image import ImageFeature
from trainer.problem import Problem
from trainer.tasks import Multiclass


def of_pictures(classes=10, **image):
    """Pictures in numbered classes, as of IDX files."""
    return Problem(features={names.IMAGE: ImageFeature(**image)}, label=names.IMAGE_LABEL, task=Multiclass(classes=classes))
