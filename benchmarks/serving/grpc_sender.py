"""One serialized request over gRPC, answers read but not parsed: every server is asked by the same client, whatever its messages."""

from types import TracebackType
from typing import Self

import grpc.aio

from benchmarks.serving.target import Target


class GrpcSender:
    """Sends one target's request over one channel."""

    def __init__(self, target: Target) -> None:
        self._channel = grpc.aio.insecure_channel(target.address, options=[("grpc.enable_http_proxy", 0)])
        self._method = self._channel.unary_unary(target.path)  # without serializers, bytes stay bytes
        self._request = target.content

    async def send(self) -> bytes:
        """The serialized answer. Raises grpc.RpcError."""
        return await self._method(self._request)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._channel.close()
