"""The model that is served now, for the Evaluator to hold a new one against: what was released below the serving base path.

Kubeflow Pipelines refuses TFX's resolvers, and its own metadata is no place to look: what is served is what counts.

the version that a release made stable, else the newest -> its files as a Model artifact; none -> an artifact that says so
"""

import os
from collections.abc import Callable

from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import standard_artifacts
from tfx.utils import io_utils, path_utils

from components import released
from serving import versions

VERSION = "served_version"  # custom property: its folder's name
FOUND = "found"  # custom property: 1 where there is a model, 0 where nothing has been pushed yet, or no bound needs it
_NO_COMPARISON = 1.0  # of accuracy: a drop that no model exceeds
_NOTE = "served_version.txt"  # an empty folder does not exist on object storage
_SAVED_MODELS = ("saved_model.pb", "saved_model.pbtxt")


@component
def ServedModel(
    model: OutputArtifact[standard_artifacts.Model], serving_path: Parameter[str], max_accuracy_drop: Parameter[float] = 0.0
) -> None:
    """Copies the version that is served of `serving_path`, the model's folder, into `model`; none where a drop of 1 is allowed.

    A version without its `saved_model.pb` is still being copied, and is passed over.
    """
    served = served_version(serving_path) if max_accuracy_drop < _NO_COMPARISON else None
    model.set_int_custom_property(FOUND, int(served is not None))
    io_utils.write_string_file(os.path.join(model.uri, _NOTE), served or "none")
    if served is not None:
        model.set_string_custom_property(VERSION, served)
        io_utils.copy_dir(os.path.join(serving_path, served), path_utils.serving_model_dir(model.uri))


def served_version(serving_path: str, counts: Callable[[str], bool] | None = None) -> str | None:
    """The folder's name of the version that a release made stable; where nobody has released one that is there, the newest.

    Only complete versions count, or those folders of which `counts` is true; None where there is none. Names are numbers as TensorFlow
    Serving reads them, see `serving.versions`.
    """
    if not fileio.exists(serving_path) or not fileio.isdir(serving_path):
        return None
    names = [name.rstrip("/") for name in fileio.listdir(serving_path)]
    numbers = [name for name in names if versions.parse(name) is not None]
    complete = versions.by_number(name for name in numbers if (counts or is_complete)(os.path.join(serving_path, name)))
    stable = _stable(os.path.join(serving_path, released.FILE))
    if stable in complete:
        return complete[stable]
    return complete[max(complete)] if complete else None


def _stable(note: str) -> int | None:
    """What the release's note names; None where there is none, or something else in its place."""
    if not fileio.exists(note) or fileio.isdir(note):
        return None
    with fileio.open(note, "rb") as file:
        return released.stable(file.read())


def is_complete(folder: str) -> bool:
    """Whether it has its `saved_model.pb`."""
    return any(fileio.exists(os.path.join(folder, name)) for name in _SAVED_MODELS)
