"""The HTTP server under the REST transport: aiohttp, in the event loop that is running.

    a connection -> one more than may be open: the one that has been idle longest goes
    a request    -> its host -> its body, within limits -> `answer`

It knows nothing of models; whoever starts it gives it `answer`, a coroutine function of method, path and body.
"""

import asyncio
import contextlib
import json
import logging
import re
import socket
import zlib
from collections.abc import Awaitable, Callable, Iterator

from aiohttp import HttpVersion11, web
from aiohttp.http_exceptions import HttpProcessingError

from serving.server.reading import LARGE_BYTES, in_thread_if
from serving.server.rest_limits import RestLimits, host_name, is_loopback

Answer = Callable[[str, str, bytes], Awaitable[tuple[int, str, bytes]]]
_LINE_LIMIT = 64 * 1024
# A large body is many times as large when it is parsed: the others wait as they came.
_HEAVY_BYTES, _HEAVY_AT_A_TIME = 2**20, 2
_WINDOW_BITS = {"gzip": 31, "deflate": 15}  # zlib's numbers for its own containers
_WITHOUT_BODY = ("GET", "HEAD")  # whose callers may announce a body and never send it; aiohttp ends a connection where it is missing
_ABSOLUTE = re.compile(r"https?://(?:[^/?#]*@)?(?P<host>[^/?#]*)(?P<path>.*)", re.IGNORECASE | re.DOTALL)
_log = logging.getLogger(__name__)


class RestServer:
    """Answers on a socket that listens already: HTTP status, content type and body are `answer`'s."""

    def __init__(self, listener: socket.socket, answer: Answer, limits: RestLimits = RestLimits()) -> None:  # noqa: B008 - it is frozen
        self._listener, self._answer, self._limits = listener, answer, limits
        self._checks_host = bool(limits.hosts) or is_loopback(listener.getsockname()[0])
        self._held = 0  # bytes
        self._heavy = asyncio.Semaphore(_HEAVY_AT_A_TIME)
        self._server = _Server(self._handle, limits)
        self._runner = web.ServerRunner(self._server, handle_signals=False, shutdown_timeout=2.0)

    async def start(self) -> None:
        """Begins to answer."""
        await self._runner.setup()
        await web.SockSite(self._runner, self._listener).start()

    async def stop(self) -> None:
        """Accepts no more connections, and ends those that are open when they have their answer, after 2 seconds at the latest."""
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        with self._holding() as hold:
            try:
                host, path = _target(request)
                self._check_host(host)
                body = await self._read(request, hold) if request.method not in _WITHOUT_BODY else b""
                encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
                if encoding not in ("identity", ""):
                    body = await in_thread_if(True, _inflate, body, encoding, self._limits.body_bytes)
                    hold(len(body))
            except _RefusedError as error:
                return _error(error.status, str(error), close=True)
            with self._server.working(request.protocol):
                async with self._heavy if len(body) > _HEAVY_BYTES else contextlib.nullcontext():
                    status, content_type, reply = await self._answer(request.method, path, body)
        response = web.Response(status=status, body=reply, headers={"Content-Type": content_type})
        if "gzip" in request.headers.get("Accept-Encoding", "") and len(reply) > 1024:
            response.enable_compression(web.ContentCoding.gzip)
        return response

    def _check_host(self, header: str | None) -> None:
        """Who sends none is no browser."""
        if not self._checks_host or header is None:
            return
        name = host_name(header)
        if not is_loopback(name) and name not in self._limits.hosts:
            raise _RefusedError(
                403,
                f"Expected `Host` to be localhost or an address of the loopback interface. Received: {header[:100]!r}. "
                "If callers are to use that name, start the server with --rest_api_allowed_hosts.",
            )

    @contextlib.contextmanager
    def _holding(self) -> Iterator[Callable[[int], None]]:
        """Gives a function that counts bytes held for a request while it is answered. Large bodies are refused where there are many."""
        held = 0

        def hold(count: int) -> None:
            nonlocal held
            held += count
            self._held += count
            if held > LARGE_BYTES and self._held > self._limits.held_bytes:
                raise _RefusedError(503, f"Other requests have {self._limits.held_bytes} bytes under way. Try again later.")

        try:
            yield hold
        finally:
            self._held -= held

    async def _read(self, request: web.BaseRequest, hold: Callable[[int], None]) -> bytes:
        """The body as it was sent. Raises _RefusedError."""
        most, body = self._limits.body_bytes, bytearray()
        if (request.content_length or 0) > most:
            raise _too_large(most)
        await _continue(request)
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                async for part in request.content.iter_any():
                    hold(len(part))
                    body += part
                    if len(body) > most:
                        raise _too_large(most)
        except TimeoutError as error:
            raise _RefusedError(408, f"Expected the body within {self._limits.body_seconds:g} seconds.") from error
        except (web.RequestPayloadError, HttpProcessingError, asyncio.IncompleteReadError) as error:
            raise _unreadable(_one_line(error)) from error
        return bytes(body)


def _target(request: web.BaseRequest) -> tuple[str | None, str]:
    """Host and path that a request is for. Where the whole URL is the target, its host counts and `Host` does not (RFC 9112, 3.2.2)."""
    url = _ABSOLUTE.fullmatch(request.raw_path)
    if url is None:
        return request.headers.get("Host"), request.raw_path
    path = url["path"]
    return url["host"], path if path.startswith("/") else f"/{path}"


async def _continue(request: web.BaseRequest) -> None:
    """Tells a client that waits for it that its body is welcome: aiohttp does so in its own routes only. Raises _RefusedError."""
    expected = request.headers.get("Expect")
    if expected is None or request.version < HttpVersion11 or not request.can_read_body:
        return
    if expected.lower() != "100-continue":
        raise _RefusedError(417, f"Expected `Expect` to be 100-continue. Received: {expected[:100]!r}.")
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # these bytes are not the answer's


class _RefusedError(Exception):
    """A request that is answered before its body is looked at."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def _too_large(most: int) -> _RefusedError:
    return _RefusedError(413, f"Expected a body of at most {most} bytes, inflated if it is compressed (--rest_api_max_body_bytes).")


def _unreadable(problem: str) -> _RefusedError:
    return _RefusedError(400, f"Expected a body as its headers say. Received one that cannot be read: {problem}")


def _inflate(body: bytes, encoding: str, most: int) -> bytes:
    """The body itself; never more than `most` bytes and one are made, whatever it says. Raises _RefusedError."""
    if encoding not in _WINDOW_BITS:
        raise _unreadable(f"expected Content-Encoding to be gzip or deflate, received {encoding[:100]!r}")
    stream = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        inflated = stream.decompress(body, most + 1)
    except zlib.error as error:
        raise _unreadable(str(error)) from error
    if len(inflated) > most:
        raise _too_large(most)
    if not stream.eof or stream.unused_data:
        raise _unreadable("it goes on after its end" if stream.eof else "it ends before its end")
    return inflated


class _Server(web.Server):
    """aiohttp's, with errors in JSON, and no more connections than may be open.

    A connection is idle while its request is not there yet, body included: one that sends a byte now and then is worth no more.
    """

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], limits: RestLimits) -> None:
        super().__init__(handler)
        self._limits = limits
        self._open = 0
        self._idle: dict[web.RequestHandler, None] = {}  # the one first that has been idle longest

    def __call__(self) -> web.RequestHandler:
        return _RequestHandler(
            self,
            loop=asyncio.get_running_loop(),
            access_log=None,
            max_line_size=_LINE_LIMIT,
            max_field_size=_LINE_LIMIT,
            lingering_time=1.0,
            keepalive_timeout=self._limits.idle_seconds,
            auto_decompress=False,
        )

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """A new one is welcome as long as any other is idle."""
        super().connection_made(handler, transport)
        self._open += 1
        self._idle[handler] = None
        if self._open > self._limits.connections:
            longest = next(iter(self._idle))
            del self._idle[longest]
            longest.force_close()

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._open -= 1
        self._idle.pop(handler, None)

    @contextlib.contextmanager
    def working(self, handler: web.RequestHandler) -> Iterator[None]:
        """While its request is answered a connection is not idle."""
        self._idle.pop(handler, None)
        try:
            yield
        finally:
            if handler.transport is not None:
                self._idle[handler] = None


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
