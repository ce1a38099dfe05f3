"""Raw files on object storage (`gs://...`): a fingerprint of them without reading them, and a local copy to read."""

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from trainer.errors import ConfigError, DataError


def is_remote(path: str | None) -> bool:
    """Whether `path` is a URL and not a place in the file system."""
    return "://" in (path or "")


def fingerprint(folder: str) -> str:
    """A digest of names, sizes and times of change of the files in `folder`.

    Raises:
      ConfigError: `folder` is not there or cannot be listed.
    """
    import tensorflow as tf

    digest = hashlib.sha256()
    for name in _names(folder):
        state = tf.io.gfile.stat(f"{folder.rstrip('/')}/{name}")
        digest.update(f"{name}\0{state.length}\0{state.mtime_nsec}\0".encode())
    return digest.hexdigest()


@contextlib.contextmanager
def local_copy(folder: str) -> Iterator[tuple[Path, str]]:
    """The files in `folder`, copied into a temporary folder that is gone afterwards, and the fingerprint of what was copied.

    Raises:
      ConfigError: as `fingerprint` does.
      DataError: a file was changed while it was copied.
    """
    import tensorflow as tf

    before = fingerprint(folder)
    with tempfile.TemporaryDirectory(prefix="tapeline-raw-") as copy:
        for name in _names(folder):
            tf.io.gfile.copy(f"{folder.rstrip('/')}/{name}", str(Path(copy) / name))
        if fingerprint(folder) != before:
            raise DataError(
                f"Expected the files in '{folder}' to stay as they are while they are copied. Received: changed ones. Run again."
            )
        yield Path(copy), before


def _names(folder: str) -> list[str]:
    """The files, subfolders left out."""
    import tensorflow as tf

    try:
        names = [name for name in sorted(tf.io.gfile.listdir(folder)) if not name.endswith("/")]
        return [name for name in names if not tf.io.gfile.isdir(f"{folder.rstrip('/')}/{name}")]
    except tf.errors.OpError as error:
        cause = next((line.strip() for line in error.message.splitlines() if line.strip()), type(error).__name__)
        raise ConfigError(f"Expected `data.path` to be a folder that can be read. Received: '{folder}': {cause}") from None
