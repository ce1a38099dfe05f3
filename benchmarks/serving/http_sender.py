"""The leanest HTTP/1.1 client that can be had: kept-alive connections, one request made beforehand, answers read but not parsed."""

import asyncio
from types import TracebackType
from typing import Self

from benchmarks.serving.target import Target


class HttpError(Exception):
    """An answer other than 200."""


class HttpSender:
    """Sends one target's request; each call has a connection of its own while it lasts, taken from those that are free."""

    def __init__(self, target: Target) -> None:
        self._host, _, self._port = target.address.partition(":")
        head = f"POST {target.path} HTTP/1.1\r\nHost: {target.address}\r\nContent-Type: application/json\r\n"
        self._request = f"{head}Content-Length: {len(target.content)}\r\n\r\n".encode() + target.content
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def send(self) -> bytes:
        """The body of the answer. Raises HttpError."""
        reader, writer = connection = self._free.pop() if self._free else await asyncio.open_connection(self._host, int(self._port))
        writer.write(self._request)
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(_content_length(head))
        self._free.append(connection)
        if not head.startswith(b"HTTP/1.1 200"):
            raise HttpError(f"{head.splitlines()[0].decode()}: {body[:300].decode(errors='replace')}")
        return body

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for _, writer in self._free:
            writer.close()


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    raise HttpError(f"Expected a Content-Length. Received: {head.decode(errors='replace')}")
