"""The weights that a training starts from (`trainer.start_from`), found before the run, so that their content is in the cache key.

a file that Keras has saved, a SavedModel, or the version that is served -> its place and a digest; nothing pushed yet -> None
"""

import hashlib
import os
from pathlib import Path

from components.served_model import served_version
from components.teacher import fingerprint_of
from trainer.config import LAST
from trainer.errors import ConfigError, did_you_mean
from trainer.start import FILES, Start


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
    if (place / "saved_model.pb").is_file():
        return _of_folder(start_from)
    received = "which is neither" if place.exists() else "which does not exist"
    beside = [other.name for other in place.parent.iterdir() if other != place] if place.parent.is_dir() else []
    raise ConfigError(
        f"trainer.start_from: Expected '{LAST}', a file ending in {' or '.join(FILES)}, or the folder of a SavedModel, on this machine. "
        f"Received: '{start_from}', {received}.{did_you_mean(place.name, beside)}"
    )


def _of_folder(folder: str) -> Start:
    return Start(place=folder, digest=fingerprint_of(folder))
