"""The server's two ports, taken before TensorFlow is loaded, so that a busy one is said at once."""

import socket
from concurrent.futures import ThreadPoolExecutor

import grpc

from serving.errors import StartError
from serving.server.rest_server import RestServer

# Messages of any size, and a port that is taken is an error rather than shared.
_GRPC_OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)]


def bind_grpc(host: str, port: int, max_threads: int) -> tuple[grpc.Server, int]:
    """A gRPC server without services, and the port it has; 0 takes any that is free. Raises StartError."""
    _check(host, port, "--port")
    server = grpc.server(ThreadPoolExecutor(max_threads, thread_name_prefix="grpc"), options=_GRPC_OPTIONS)
    try:
        bound = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError as error:  # taken between the check and now
        raise StartError(_busy(host, port, "--port")) from error
    return server, bound


def bind_rest(host: str, port: int) -> RestServer:
    """An HTTP server that does not answer yet; 0 takes any free port. Raises StartError."""
    _check(host, port, "--rest_api_port")
    return RestServer((host, port))


def _check(host: str, port: int, flag: str) -> None:
    """Tries the port with a plain socket: gRPC itself would write its own lines to stderr about a port that is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except PermissionError as error:
            raise StartError(f"port {port} of {host} may only be taken by the administrator; choose {flag} 1024 or above") from error
        except OSError as error:
            raise StartError(_busy(host, port, flag) if _is_local(host) else _no_address(host)) from error


def _is_local(host: str) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True


def _busy(host: str, port: int, flag: str) -> str:
    return f"port {port} of {host} is in use by another process; stop that or choose another port, {flag} 0 picks a free one"


def _no_address(host: str) -> str:
    return f"cannot listen on {host!r}: expected an IPv4 address of this machine for --bind_address, such as 127.0.0.1 or 0.0.0.0"
