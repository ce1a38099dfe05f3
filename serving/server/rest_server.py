"""The HTTP server under the REST transport: aiohttp, in the event loop that is running.

It knows nothing of models; whoever starts it gives it `answer`, a coroutine function of method, path and body.
"""

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

Answer = Callable[[str, str, bytes], Awaitable[tuple[int, str, bytes]]]
_NO_LIMIT = 2**62
_LINE_LIMIT = 64 * 1024
_MOST_INFLATED = 1024**3  # bytes: a small compressed body must not fill the memory
_log = logging.getLogger(__name__)


class RestServer:
    """Answers on a socket that listens already: HTTP status, content type and body are `answer`'s."""

    def __init__(self, listener: socket.socket, answer: Answer) -> None:
        self._listener, self._answer = listener, answer
        self._runner = web.ServerRunner(_Server(self._handle), handle_signals=False, shutdown_timeout=2.0)

    async def start(self) -> None:
        """Begins to answer."""
        await self._runner.setup()
        await web.SockSite(self._runner, self._listener).start()

    async def stop(self) -> None:
        """Accepts no more connections, and ends those that are open when they have their answer, after 2 seconds at the latest."""
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        try:
            body = await _read(request)
        except _BadBodyError as error:
            return _error(400, str(error), close=True)
        status, content_type, reply = await self._answer(request.method, request.raw_path, body)
        response = web.Response(status=status, body=reply, headers={"Content-Type": content_type})
        if "gzip" in request.headers.get("Accept-Encoding", "") and len(reply) > 1024:
            response.enable_compression(web.ContentCoding.gzip)
        return response


class _BadBodyError(Exception):
    """The body is not what its headers say."""


async def _read(request: web.BaseRequest) -> bytes:
    """The body, inflated where it is compressed. Raises _BadBodyError."""
    parts, size = [], 0
    try:
        async for part in request.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > _MOST_INFLATED and "Content-Encoding" in request.headers:
                raise _BadBodyError(f"Expected a compressed body of at most {_MOST_INFLATED} bytes when inflated. Received more.")
    except (web.RequestPayloadError, HttpProcessingError, asyncio.IncompleteReadError) as error:
        raise _BadBodyError(f"Expected a body as its headers say. Received one that cannot be read: {_one_line(error)}") from error
    return b"".join(parts)


class _Server(web.Server):
    """aiohttp's, with errors in JSON."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        super().__init__(handler)

    def __call__(self) -> web.RequestHandler:
        return _RequestHandler(
            self,
            loop=asyncio.get_running_loop(),
            access_log=None,
            max_line_size=_LINE_LIMIT,
            max_field_size=_LINE_LIMIT,
            lingering_time=1.0,
        )


class _RequestHandler(web.RequestHandler):
    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """What is answered to bytes that are no HTTP (400), and to a bug (500)."""
        _log.debug("request failed", exc_info=exc)
        return _error(status, _one_line(message or exc or "Malformed request"), close=True)


def _error(status: int, message: str, *, close: bool = False) -> web.Response:
    response = web.Response(status=status, body=json.dumps({"error": message}).encode(), content_type="application/json")
    if close:
        response.force_close()
    return response


def _one_line(message: object) -> str:
    return " ".join(str(message).split())
