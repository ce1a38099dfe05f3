"""The weights that a training starts from (`trainer.start_from`).

Found before a run here, so that their content is in the cache key; on a cluster by a step of its own, as the Trainer's `base_model`.

a file that Keras has saved, a SavedModel, or the version that is served -> its place and a digest; nothing pushed yet -> None
"""

import hashlib
import os
from pathlib import Path

from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import standard_artifacts
from tfx.utils import io_utils, path_utils

from components.served_model import served_version
from components.teacher import fingerprint_of
from trainer.config import LAST
from trainer.errors import ConfigError, did_you_mean
from trainer.start import FILES, NOTHING, Start

_SAVED = "saved_model.pb"


@component
def StartModel(model: OutputArtifact[standard_artifacts.Model], start_from: Parameter[str], serving_path: Parameter[str]) -> None:
    """Copies what `start_from` names into `model`: a place in a bucket, or the version that is served of `serving_path`, if there is one.

    Raises:
      ConfigError: there is no such file or folder.
    """
    folder = path_utils.serving_model_dir(model.uri)
    version = served_version(serving_path) if start_from == LAST else None
    place = os.path.join(serving_path, version) if version else start_from
    if start_from == LAST and not version:
        io_utils.write_string_file(os.path.join(folder, NOTHING), "none")  # an empty folder does not exist on object storage
    elif fileio.exists(os.path.join(place, _SAVED)):
        io_utils.copy_dir(place, folder)
    elif place.endswith(FILES) and fileio.exists(place):
        io_utils.copy_file(place, os.path.join(folder, Path(place).name))
    else:
        raise ConfigError(
            f"trainer.start_from: Expected '{LAST}', a file ending in {' or '.join(FILES)}, or the folder of a SavedModel. "
            f"Received: '{start_from}', where there is none."
        )


def check_on_cluster(start_from: str | None, has_teacher: bool) -> None:
    """Raises ConfigError where a cluster's step cannot start from that."""
    if start_from is None:
        return
    if start_from != LAST and "://" not in start_from:
        raise ConfigError(
            f"trainer.start_from: Expected `{LAST}` or a place in a bucket, gs://..., on Kubeflow, whose steps do not see this machine's "
            f"files. Received: '{start_from}'. Copy it to a bucket, or run here by `tapeline run`."
        )
    if has_teacher:
        raise ConfigError(
            "trainer.start_from: Expected none with `trainer.step: distill` on Kubeflow, where the teacher takes its place. "
            f"Received: '{start_from}'. Leave one of them out, or run here by `tapeline run`."
        )


def find(start_from: str | None, serving_path: str) -> Start | None:
    """What `start_from` names; None where it names nothing, or the last model and there is none.

    Args:
      start_from: the setting.
      serving_path: the folder of the versions that this pipeline has pushed.

    Raises:
      ConfigError: there is no such file or folder.
    """
    if start_from is None:
        return None
    if start_from == LAST:
        version = served_version(serving_path)
        return _of_folder(os.path.join(serving_path, version)) if version else None
    place = Path(start_from)
    if start_from.endswith(FILES) and place.is_file():
        with place.open("rb") as file:
            return Start(place=start_from, digest=hashlib.file_digest(file, "sha256").hexdigest())
    if (place / _SAVED).is_file():
        return _of_folder(start_from)
    received = "which is neither" if place.exists() else "which does not exist"
    beside = [other.name for other in place.parent.iterdir() if other != place] if place.parent.is_dir() else []
    raise ConfigError(
        f"trainer.start_from: Expected '{LAST}', a file ending in {' or '.join(FILES)}, or the folder of a SavedModel, on this machine. "
        f"Received: '{start_from}', {received}.{did_you_mean(place.name, beside)}"
    )


def _of_folder(folder: str) -> Start:
    return Start(place=folder, digest=fingerprint_of(folder))
