"""The network that a training builds on (`trainer.backbone`), found before the run, so that its content is in the cache key.

a file of Keras, the folder of a SavedModel -> as it is; an archive of either -> unpacked, once for each content
-> its place and a digest, in the settings
"""

import hashlib
import shutil
import tempfile
from pathlib import Path, PurePosixPath

from components.example_gen.readers import archive
from components.teacher import fingerprint_of
from trainer.config import TrainerConfig
from trainer.errors import ConfigError, DataError, did_you_mean, listed

_KERAS, _SAVED = ".keras", "saved_model.pb"
_ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")
_MOST = 4 << 30  # bytes of one unpacked file
_KEY = "trainer.backbone.path"


def found(config: TrainerConfig, unpacked: Path) -> TrainerConfig:
    """The settings with the place and the digest of `config.backbone`; as they are where there is none.

    Args:
      config: the settings.
      unpacked: the folder below which an archive is unpacked, into one with the name of its digest.

    Raises:
      ConfigError: there is no such file or folder, or it is none of those.
    """
    if config.backbone is None:
        return config
    path, place = config.backbone.path, Path(config.backbone.path)
    if (place / _SAVED).is_file():
        digest = fingerprint_of(path)
    elif place.is_file() and path.endswith((_KERAS, *_ARCHIVES)):
        with place.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if not path.endswith(_KERAS):
            path = _unpacked(place, unpacked / digest)
    else:
        raise _other(place)
    return config.model_copy(update={"backbone": config.backbone.model_copy(update={"path": path, "digest": digest})})


def _other(place: Path) -> ConfigError:
    received = "which is none of these" if place.exists() else "which does not exist"
    beside = [other.name for other in place.parent.iterdir() if other != place] if place.parent.is_dir() else []
    inside = [str(file.parent) for file in sorted(place.glob(f"*/{_SAVED}"))]  # a folder of versions
    near = f" Did you mean '{inside[-1]}'?" if inside else did_you_mean(place.name, beside)
    return ConfigError(
        f"{_KEY}: Expected a file ending in {_KERAS}, the folder of a SavedModel, or one of them in an archive ({', '.join(_ARCHIVES)}), "
        f"on this machine. Received: '{place}', {received}.{near}"
    )


def _unpacked(packed: Path, folder: Path) -> str:
    """The place of the network in the archive, whose files are all in `folder`, or none of them."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            whole = Path(temporary, "whole")
            whole.mkdir()
            try:
                _unpack(packed, whole)
            except (DataError, archive.EntryError) as error:
                raise ConfigError(f"{_KEY}: {error}") from error
            _network(whole, packed)
            shutil.move(whole, folder)
    return str(_network(folder, packed))


def _unpack(packed: Path, folder: Path) -> None:
    with archive.entries(packed, _MOST) as entries:
        for entry in entries:
            if entry.problem:
                raise ConfigError(
                    f"{_KEY}: Expected an archive of plain files that stay in its folder. Received: '{entry.name}' in '{packed}', "
                    f"{entry.problem}. Use another archive, or unpack it by hand and name the folder."
                )
            file = folder / PurePosixPath(entry.name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(entry.read())


def _network(folder: Path, packed: Path) -> Path:
    """The SavedModel's folder or the file of Keras below `folder`. Raises ConfigError where there is none, or more than one."""
    places = sorted(file.parent for file in folder.rglob(_SAVED)) or sorted(folder.rglob(f"*{_KERAS}"))
    if len(places) != 1:
        received = listed([str(place.relative_to(folder)) for place in places]) if places else "neither"
        raise ConfigError(f"{_KEY}: Expected one SavedModel or one file ending in {_KERAS} in '{packed}'. Received: {received}.")
    return places[0]
