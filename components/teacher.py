"""The model that this run's learns from (`trainer.step: distill`), for the Trainer, whose `base_model` it is.

a folder of the user's, or what was pushed and was not distilled itself -> its files as a Model artifact

Were a distilled model the next one's teacher, the same run once more would train once more.
"""

import hashlib
import os

from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import standard_artifacts
from tfx.utils import io_utils, path_utils

from components.served_model import is_complete, served_version
from trainer.errors import ConfigError
from trainer.export import DISTILLED


@component
def TeacherModel(
    model: OutputArtifact[standard_artifacts.Model], teacher: Parameter[str], serving_path: Parameter[str], fingerprint: Parameter[str]
) -> None:
    """Copies the teacher into `model`; `fingerprint`, of its files, is there for the cache, and empty where there is none.

    Raises:
      ConfigError: there is no teacher.
    """
    del fingerprint
    io_utils.copy_dir(find(teacher, serving_path), path_utils.serving_model_dir(model.uri))


def find(teacher: str, serving_path: str) -> str:
    """The folder of the SavedModel.

    Args:
      teacher: that folder, or one with versions; empty where it is one of `serving_path`.
      serving_path: the folder of the versions that this pipeline has pushed.

    Raises:
      ConfigError: there is none.
    """
    if teacher and is_complete(teacher):
        return teacher
    version = served_version(teacher or serving_path, is_complete if teacher else _is_own)
    if version is not None:
        return os.path.join(teacher or serving_path, version)
    if teacher:
        raise ConfigError(
            f"Expected a SavedModel, or a folder with versions of one, in `trainer.step.teacher`. Received: '{teacher}', which has no "
            "saved_model.pb. Name the folder of a version."
        )
    raise ConfigError(
        f"Expected a model that this pipeline has pushed, for `trainer.step: distill` to learn from. Received: none in '{serving_path}' "
        "that was not distilled itself. Run with `trainer.step: standard` first, or give `{kind: distill, teacher: FOLDER}`."
    )


def fingerprint_of(folder: str) -> str:
    """A digest of the files below `folder`, names and content."""
    digest = hashlib.sha256()
    files = [os.path.join(place, name) for place, _, found in fileio.walk(folder) for name in found]
    for file in sorted(files):
        digest.update(os.path.relpath(file, folder).encode() + b"\0")
        with fileio.open(file, "rb") as content:
            digest.update(hashlib.sha256(content.read()).digest())
    return digest.hexdigest()


def _is_own(folder: str) -> bool:
    return is_complete(folder) and not fileio.exists(os.path.join(folder, DISTILLED))
