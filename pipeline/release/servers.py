"""The running servers, TensorFlow Serving or `tapeline serve`: which versions each has, and where each has the labels.

A name is every address it stands for: all pods behind a headless Service have to have a version before a label may move to it.
"""

import re
import socket
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trainer.errors import ConfigError

if TYPE_CHECKING:
    from serving.messages import VersionStatus

_DEADLINE = 5.0  # seconds; a status is answered in milliseconds
_MOST_AT_ONCE = 16
_SCHEME = re.compile(r"(dns:(//[^/]*/)?|ipv4:|ipv6:)?(.+)")
_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^:\[\]/]+):([0-9]{1,5})")


@dataclass(frozen=True)
class Look:
    """What one address answered.

    Attributes:
      versions: what the server says of every version that it knows.
      labels: label -> version, for the labels that stand for an available version there.
      trouble: why nothing was answered, in one line; empty where something was.
    """

    address: str
    versions: Mapping[int, "VersionStatus"] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)
    trouble: str = ""

    def state(self, version: int) -> str:
        """In a word or a line: AVAILABLE, LOADING, the error it could not be loaded for, or why nothing is known."""
        if self.trouble:
            return self.trouble
        if version not in self.versions:
            return "does not know it yet"
        status = self.versions[version]
        return f"{status.state.name} ({_line(status.error_message)})" if status.error_message else status.state.name

    def has(self, version: int) -> bool:
        """Whether it is available there."""
        return self.state(version) == "AVAILABLE"


def check(targets: Iterable[str]) -> None:
    """Raises ConfigError for what is no address, before anybody is asked."""
    for target in targets:
        for part in _parts(target):
            if not _HOST_AND_PORT.fullmatch(part):
                raise ConfigError(
                    f"Expected --server to be HOST:PORT or dns:///HOST:PORT, the gRPC port. Received: '{target}'. Try {part}:8500."
                    if part and ":" not in part
                    else f"Expected --server to be HOST:PORT or dns:///HOST:PORT, the gRPC port. Received: '{target}'."
                )


def look(targets: Sequence[str], model_name: str, labels: Collection[str] = ()) -> list[Look]:
    """One look at every address behind the targets, at the same time; in the targets' order."""
    found: dict[str, str] = {}
    for target in targets:
        found.update(_addresses(target))
    with ThreadPoolExecutor(_MOST_AT_ONCE) as pool:
        return list(pool.map(lambda entry: _look(*entry, model_name, labels), found.items()))


def _look(address: str, trouble: str, model_name: str, labels: Collection[str]) -> Look:
    from serving.client import Client
    from serving.errors import NotFoundError, ServingError

    if trouble:
        return Look(address, trouble=trouble)
    with Client(address, model_name=model_name, deadline=_DEADLINE) as client:
        try:
            versions = {status.version: status for status in client.status()}
        except NotFoundError:  # it is there, and has not seen a version of this model
            return Look(address)
        except ServingError as error:
            return Look(address, trouble=_unreachable(error))
        return Look(address, versions, {label: version for label in labels if (version := _behind(client, label)) is not None})


def _behind(client: object, label: str) -> int | None:
    """The version that a label stands for. TensorFlow Serving's GetModelStatus takes no notice of labels; the metadata does."""
    from serving.errors import ServingError

    try:
        signatures = client.signatures(version_label=label)
    except ServingError:  # no such label there, or its version is not available
        return None
    return next((signature.version for signature in signatures.values()), None)


def _addresses(target: str) -> dict[str, str]:
    """HOST:PORT of every address behind a target -> why it cannot be asked, or the empty string."""
    found: dict[str, str] = {}
    for part in _parts(target):
        host, _, port = part.rpartition(":")
        try:
            found.update(dict.fromkeys(_resolved(host.strip("[]"), int(port)), ""))
        except (OSError, UnicodeError, OverflowError) as error:
            found[part] = f"no such name ({_line(getattr(error, 'strerror', None) or str(error))})"
    return found


def _resolved(host: str, port: int) -> list[str]:
    """IPv4 addresses where there are any: the other ones are the same machines, and TensorFlow Serving listens on IPv4."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    four = sorted({f"{address[0]}:{port}" for family, *_, address in found if family == socket.AF_INET})
    return four or sorted({f"[{address[0]}]:{port}" for family, *_, address in found if family == socket.AF_INET6})


def _parts(target: str) -> list[str]:
    """A target without gRPC's scheme, at its commas."""
    match = _SCHEME.fullmatch(target.strip())
    return match[3].split(",") if match else [""]


def _unreachable(error: Exception) -> str:
    from serving.errors import DeadlineExceededError, UnavailableError

    if isinstance(error, UnavailableError):
        return "does not answer"
    if isinstance(error, DeadlineExceededError):
        return f"does not answer within {_DEADLINE:g} s"
    return _line(str(error))


def _line(text: str) -> str:
    """The first line, short enough for one of ours."""
    first = text.strip().partition("\n")[0].rstrip(".")
    return first if len(first) <= 200 else f"{first[:197]}..."
