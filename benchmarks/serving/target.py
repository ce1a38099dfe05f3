"""One request that can be sent again and again: to what address, over what protocol, in what bytes."""

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Target:
    """`protocol` is `http` (a POST of JSON) or `grpc`; `path` as either has it; `body` is base64, so that it goes through JSON."""

    name: str
    protocol: str
    address: str
    path: str
    body: str

    @property
    def content(self) -> bytes:
        """The body itself."""
        return base64.b64decode(self.body)

    def to_json(self) -> dict[str, str]:
        """As it crosses to the process that sends it."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, str]) -> Self:
        """The other way."""
        return cls(**values)


def http_target(name: str, address: str, path: str, body: Mapping[str, Any]) -> Target:
    """A POST of compact JSON."""
    return Target(name, "http", address, path, _packed(json.dumps(body, separators=(",", ":")).encode()))


def grpc_target(name: str, address: str, path: str, body: bytes) -> Target:
    """A unary call with a serialized message."""
    return Target(name, "grpc", address, path, _packed(body))


def _packed(content: bytes) -> str:
    return base64.b64encode(content).decode()
