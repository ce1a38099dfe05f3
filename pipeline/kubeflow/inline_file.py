"""A small file carried inside an execution property, as a data: URL (RFC 2397): a step's pod has no file of the machine that compiled."""

import base64
import binascii
import hashlib
from pathlib import Path
from typing import Any

from trainer.errors import ConfigError

_PREFIX = "data:application/octet-stream;name="
_ENCODED = ";base64,"


def inline(name: str, content: bytes) -> str:
    """The URL that holds the file."""
    return f"{_PREFIX}{name}{_ENCODED}{base64.b64encode(content).decode()}"


def unfold(value: Any, folder: Path) -> Any:
    """`value`, or, where it is such a URL, the path of the file written below `folder`. Raises ConfigError."""
    if not isinstance(value, str) or not value.startswith(_PREFIX):
        return value
    name, _, encoded = value.removeprefix(_PREFIX).partition(_ENCODED)
    try:
        content = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ConfigError(f"Expected a file inside the package. Received: '{name}', which does not decode: {error}.") from None
    path = folder / hashlib.sha256(content).hexdigest()[:16] / Path(name).name  # only the last part: a name cannot leave the folder
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(path)
