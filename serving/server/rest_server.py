"""The HTTP server under the REST transport: the standard library's, with keep-alive, one thread a connection, and an orderly end.

It knows nothing of models; whoever starts it gives it `answer`, a function of method, path and body. Imports nothing slow, so that the
port can be taken before TensorFlow is loaded.
"""

import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_log = logging.getLogger(__name__)


class RestServer(ThreadingHTTPServer):
    """A thread a connection; knows its connections and how many of them are in the middle of a request."""

    daemon_threads = True
    request_queue_size = 128
    answer: Callable[[str, str, bytes], tuple[int, bytes]]

    def __init__(self, address: tuple[str, int]) -> None:
        self.idle = threading.Condition()
        self.busy = 0
        self.draining = False
        self._connections: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, name="rest", daemon=True)
        super().__init__(address, _Handler)

    def start(self, answer: Callable[[str, str, bytes], tuple[int, bytes]]) -> None:
        """Begins to answer: method, path and body in, HTTP status and JSON body out."""
        self.answer = answer
        self._thread.start()

    def stop(self, grace: float) -> None:
        """Accepts no more connections and returns when the requests in flight are answered, after `grace` seconds at the latest."""
        self.shutdown()
        self.socket.close()
        self._drain(grace)

    def server_bind(self) -> None:
        """Without the base class's look-up of the host's full name, which may take seconds where there is no name server."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address[:2]

    def process_request_thread(self, request: socket.socket, client_address: tuple) -> None:
        """Remembers the connection for as long as it lives."""
        self._connections.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.discard(request)

    def handle_error(self, request: socket.socket, client_address: tuple) -> None:
        """A client that hangs up in the middle is no news."""
        _log.debug("connection failed", exc_info=True)

    def _drain(self, grace: float) -> None:
        """Ends idle connections at once, the others when they have their answer."""
        deadline = time.monotonic() + grace
        with self.idle:
            self.draining = True
            for connection in list(self._connections):
                _end_reading(connection)
            self.idle.wait_for(lambda: self.busy == 0, timeout=max(0.0, deadline - time.monotonic()))


def _end_reading(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RD)
    except OSError:  # already gone
        return


class _Handler(BaseHTTPRequestHandler):
    server: RestServer
    protocol_version = "HTTP/1.1"
    server_version = "tapeline"
    disable_nagle_algorithm = True
    wbufsize = -1
    error_message_format = '{"error": "%(message)s"}'
    error_content_type = "application/json"

    def _serve(self) -> None:
        with self.server.idle:
            self.server.busy += 1
        try:
            self._answer()
        finally:
            with self.server.idle:
                self.server.busy -= 1
                self.server.idle.notify_all()

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve  # the names that the base class looks for

    def _answer(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers:
            self._refuse(501, "Expected a body with a Content-Length. Received a Transfer-Encoding.")
        elif not (length.isascii() and length.isdecimal()):
            self._refuse(400, f"Expected a Content-Length in bytes. Received: {length!r}.")
        else:
            self._send(*self.server.answer(self.command, self.path.partition("?")[0], self.rfile.read(int(length))))

    def _refuse(self, status: int, message: str) -> None:
        self.close_connection = True  # the body was not read: what follows on this connection is not a request
        self._send(status, json.dumps({"error": message}).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.server.draining:
            self.close_connection = True
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # `format` is the base class's name
        _log.debug(format, *args)
