"""The model that is served now, for the Evaluator to hold a new one against: the newest version below the serving base path.

Kubeflow Pipelines refuses TFX's resolvers, and its own metadata is no place to look: what is served is what counts.

newest number below the folder -> its files as a Model artifact; none -> an artifact that says so
"""

import os

from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import standard_artifacts
from tfx.utils import io_utils, path_utils

from serving import versions

FOUND = "found"  # custom property: 1 where there is a model, 0 where nothing has been pushed yet
_NOTE = "served_version.txt"  # an empty folder does not exist on object storage
_SAVED_MODELS = ("saved_model.pb", "saved_model.pbtxt")


@component
def ServedModel(model: OutputArtifact[standard_artifacts.Model], serving_path: Parameter[str]) -> None:
    """Copies the newest version below `serving_path`, the model's folder, into `model`.

    A version without its `saved_model.pb` is still being copied, and is passed over.
    """
    newest = newest_version(serving_path)
    model.set_int_custom_property(FOUND, int(newest is not None))
    io_utils.write_string_file(os.path.join(model.uri, _NOTE), newest or "none")
    if newest is not None:
        model.set_string_custom_property("served_version", newest)
        io_utils.copy_dir(os.path.join(serving_path, newest), path_utils.serving_model_dir(model.uri))


def newest_version(serving_path: str) -> str | None:
    """The folder's name of the highest version below `serving_path` that is complete, None where there is none.

    Names are numbers as TensorFlow Serving reads them, see `serving.versions`.
    """
    if not fileio.exists(serving_path) or not fileio.isdir(serving_path):
        return None
    names = [name.rstrip("/") for name in fileio.listdir(serving_path)]
    numbers = [name for name in names if versions.parse(name) is not None]
    complete = versions.by_number(name for name in numbers if _is_complete(os.path.join(serving_path, name)))
    return complete[max(complete)] if complete else None


def _is_complete(folder: str) -> bool:
    return any(fileio.exists(os.path.join(folder, name)) for name in _SAVED_MODELS)
