"""Problems for tests."""

from trainer.features import names
from trainer.problem import Problem
from trainer.tasks import Multiclass


def of_pictures(classes=10):
    """Pictures in numbered classes, as of IDX files."""
    return Problem(features={names.IMAGE: "image"}, label=names.IMAGE_LABEL, task=Multiclass(classes=classes))
