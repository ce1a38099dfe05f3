"""The one place that knows which reader reads which `data.format`, and which bytes the data is."""

import hashlib
from pathlib import Path

from components.example_gen import digits, idx
from components.example_gen.config import DataConfig
from components.example_gen.labelled_images import Part


def open_parts(config: DataConfig) -> list[Part]:
    """The parts of the data that `config` names, checked. `config.path` is absolute by now."""
    if config.format == "digits":
        return digits.open_parts()
    return idx.open_parts(config.path or "")


def fingerprint(config: DataConfig) -> str:
    """A digest of the data's content, so that changed data at the same path is never answered from a cache."""
    digest = hashlib.sha256(config.format.encode())
    for path in files(config):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def files(config: DataConfig) -> list[Path]:
    """The raw files that will be read, none for bundled data."""
    if config.format == "digits":
        return []
    return [path for _, images, labels in idx.find_files(config.path or "") for path in (images, labels)]
