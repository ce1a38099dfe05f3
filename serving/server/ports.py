"""The server's two ports, taken before TensorFlow is loaded, so that a busy one is said at once."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from serving.errors import StartError
from serving.server.tls import Tls
from serving.tensors import MOST_BYTES

_BACKLOG = 1024


@dataclass(frozen=True)
class GrpcLimits:
    """What the gRPC port takes from callers that it does not know: bytes of a message, connections at a time.

    `arguments`: gRPC's own names with values, which have the last word.
    """

    message_bytes: int = MOST_BYTES
    connections: int = 1024
    arguments: Mapping[str, int | str] = field(default_factory=dict)

    def options(self) -> list[tuple[str, int | str]]:
        """Of a server. What is not here is left to gRPC: how many requests may wait, how often a caller may ping or reset."""
        own = {
            "grpc.so_reuseport": 0,  # a port that is taken is an error rather than shared
            "grpc.max_receive_message_length": self.message_bytes,
            # gRPC looks at a message's length before it is inflated, and at nothing afterwards: none but the identity is taken.
            "grpc.compression_enabled_algorithms_bitset": 1,
            "grpc.max_concurrent_streams": 128,  # of a connection; a client lets the others wait
            "grpc.max_allowed_incoming_connections": self.connections,
            "grpc.server_handshake_timeout_ms": 5_000,
            "grpc.max_connection_idle_ms": 60_000,
        }
        return [*(own | self.arguments).items()]


async def bind_grpc(
    host: str,
    port: int | None,
    *,
    socket_path: str = "",
    tls: Tls | None = None,
    limits: GrpcLimits = GrpcLimits(),
) -> tuple[grpc.aio.Server, int | None]:
    """A gRPC server without services in the running event loop, and the port it has. Raises StartError.

    Port 0 takes any that is free, None takes none; the UNIX socket `socket_path` is there beside it.
    """
    if port is not None:
        _check(host, port, "--port")
    server = grpc.aio.server(options=limits.options())
    if socket_path:
        _add_socket(server, socket_path, tls)
    if port is None:
        return server, None
    try:
        return server, _add_port(server, address(host, port), tls)
    except RuntimeError as error:  # taken between the check and now
        raise StartError(_busy(host, port, "--port")) from error


def bind_rest(host: str, port: int) -> socket.socket:
    """A socket that listens but is not answered yet; 0 takes any free port. Raises StartError."""
    _check(host, port, "--rest_api_port")
    listener = _socket(host)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(_BACKLOG)
    return listener


def address(host: str, port: int) -> str:
    """`host:port`, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _add_socket(server: grpc.aio.Server, path: str, tls: Tls | None) -> None:
    try:
        if not Path(path).parent.is_dir():  # gRPC itself would write a line of its own to stderr
            raise RuntimeError
        _add_port(server, f"unix:{path}", tls)
    except RuntimeError as error:
        raise StartError(
            f"--grpc_socket_path: expected a path of 107 bytes at most, in a folder that is there. Received: {path}"
        ) from error


def _add_port(server: grpc.aio.Server, where: str, tls: Tls | None) -> int:
    if tls is None:
        return server.add_insecure_port(where)
    pair = (tls.server_key, tls.server_cert)
    credentials = grpc.ssl_server_credentials([pair], root_certificates=tls.custom_ca, require_client_auth=tls.client_verify)
    return server.add_secure_port(where, credentials)


def _check(host: str, port: int, flag: str) -> None:
    """Tries the port with a plain socket: gRPC itself would write its own lines to stderr about a port that is taken."""
    try:
        with _socket(host) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen()
    except PermissionError as error:
        raise StartError(f"port {port} of {host} may only be taken by the administrator; choose {flag} 1024 or above") from error
    except OSError as error:
        raise StartError(_busy(host, port, flag) if _is_local(host) else _no_address(host)) from error


def _is_local(host: str) -> bool:
    try:
        with _socket(host) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True


def _socket(host: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)


def _busy(host: str, port: int, flag: str) -> str:
    return f"port {port} of {host} is in use by another process; stop that or choose another port, {flag} auto picks a free one"


def _no_address(host: str) -> str:
    return (
        f"cannot listen on {host!r}: expected an IPv4 or IPv6 address of this machine for --bind_address, such as 127.0.0.1, ::1 or 0.0.0.0"
    )
