"""Which number the next version gets."""

import time
from collections.abc import Collection, Mapping

from serving import versions
from trainer.errors import ConfigError


def next_version(there: Mapping[int, str], taken: Collection[int], base: str) -> int:
    """The Unix time in seconds, or one more than the newest version where that is not less.

    Args:
      there: the versions below the base path, and the names of their folders.
      taken: numbers that cannot be had although they are no versions, as those of files.
      base: the base path, for the error.

    Raises:
      ConfigError: the newest is the highest that there can be.
    """
    version = max(int(time.time()), max(there, default=-1) + 1)
    while version in taken:
        version += 1
    if version > versions.LARGEST:
        newest = there.get(max(there, default=-1), "none")
        raise ConfigError(
            f"Expected versions below {versions.LARGEST} in '{base}': that is the highest which TensorFlow Serving loads, and the next one "
            f"needs a higher number. Received: {newest}. Move that folder away."
        )
    return version
