"""Where the served model config is: what a local file and a ConfigMap have in common."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Snapshot:
    """The text as it was read or written, and by what the place knows whether it is still that one."""

    text: str
    revision: str


class Place(Protocol):
    """`name`: as messages call it. `options`: by which a further `tapeline release` finds it, quoted for a shell."""

    name: str
    options: str

    def read(self) -> Snapshot:
        """Raises ConfigError where there is none, ReleaseError where it cannot be read."""
        ...

    def write(self, text: str, after: Snapshot) -> Snapshot:
        """Replaces the text, whole or not at all. Raises ChangedError where it is no longer `after`, ReleaseError for other trouble."""
        ...
