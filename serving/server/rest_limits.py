"""What the REST port takes from callers that it does not know: how large, how slow, how many, and under which names.

The names are checked because of DNS rebinding: a page in this machine's browser may let its own name point to 127.0.0.1, and would
then read this server's answers as its own. Whoever calls by such a name is not meant to.
"""

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass

from serving.tensors import MOST_BYTES


@dataclass(frozen=True)
class RestLimits:
    """Bytes of a body (when inflated), seconds, connections at a time, and names in `Host` beside those of the loopback interface."""

    body_bytes: int = MOST_BYTES
    body_seconds: float = 60.0
    idle_seconds: float = 60.0  # until a request's headers are there, counted from the last answer, or from when the connection was made
    answer_seconds: float | None = None  # None: any time
    connections: int = 1024
    hosts: Collection[str] = ()

    @property
    def held_bytes(self) -> int:
        """Of all bodies that are being read and answered."""
        return 2 * self.body_bytes


def is_loopback(host: str) -> bool:
    """Whether an address or name is this machine's own, whatever its network: localhost, 127.0.0.0/8 or ::1."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def host_name(header: str) -> str:
    """The name or address in a `Host`, without its port and brackets, in lower case."""
    name = header.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0].removesuffix(".")
