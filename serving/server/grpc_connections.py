"""Room for new connections on the gRPC port: gRPC turns those away once it has as many as it may, however silent the others are.

    few descriptors are open -> nothing
    else                     -> the port's connections -> those that have been silent longest are ended, until half of the room is free
    now and then             -> the port's connections -> those that began a request and have been silent for too long are ended

gRPC also keeps half a message for as long as its caller likes. It neither tells who is connected nor takes connections that somebody else
has accepted, so they are found among the descriptors of this process, where Linux lists them. Elsewhere gRPC's own time-outs must do.
"""

import collections
import contextlib
import os
import socket
import stat
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

LOOK_SECONDS, LOOK_FOR_STALLED_SECONDS = 0.1, 10.0
STALLED_SECONDS = 90.0  # longer than `grpc.max_connection_idle_ms`, by which gRPC itself ends those without a request
_DESCRIPTORS = Path("/proc/self/fd")
_TCP_INFO_BYTES, _LAST_DATA_RECEIVED = 64, 52  # of Linux's `struct tcp_info`


class Callers:
    """Who has requests under way: their connections are not silent. Written in one event loop, read in any thread."""

    def __init__(self) -> None:
        self._requests: collections.Counter[str] = collections.Counter()

    @contextlib.contextmanager
    def working_for(self, peer: str) -> Iterator[None]:
        """While a request of `peer` is answered; as gRPC names it, such as `ipv4:127.0.0.1:50000`."""
        port = peer.rpartition(":")[2]
        self._requests[port] += 1
        try:
            yield
        finally:
            self._requests[port] -= 1
            if not self._requests[port]:
                del self._requests[port]

    def ports(self) -> frozenset[int]:
        """The ports that they call from. A caller of another address with such a port passes for one of them."""
        return frozenset(int(port) for port in list(self._requests) if port.isdigit())


class _Connection(NamedTuple):
    silent_ms: int
    descriptor: int
    caller: tuple


def make_room(port: int, most: int, callers: Callers) -> int:
    """Ends connections to `port` when there are more than three quarters of `most`. Returns how many."""
    names = _names()
    if len(names) <= most * 3 // 4:
        return 0
    found = _connections(names, port)
    if len(found) <= most * 3 // 4:
        return 0
    surplus = _silent(found, callers)[: len(found) - most // 2]
    for connection in surplus:
        _end(connection)
    return len(surplus)


def end_stalled(port: int, seconds: float, callers: Callers) -> int:
    """Ends connections to `port` that have been silent for so long and wait for no answer. Returns how many."""
    stalled = [connection for connection in _silent(_connections(_names(), port), callers) if connection.silent_ms >= seconds * 1000]
    for connection in stalled:
        _end(connection)
    return len(stalled)


def _names() -> list[str]:
    try:
        return [path.name for path in _DESCRIPTORS.iterdir()]
    except OSError:  # not on this system
        return []


def _connections(names: Iterable[str], port: int) -> list[_Connection]:
    return [connection for name in names if (connection := _look(int(name), port))]


def _silent(found: Iterable[_Connection], callers: Callers) -> list[_Connection]:
    """Those of callers without a request under way, the most silent first."""
    at_work = callers.ports()
    return sorted((connection for connection in found if connection.caller[1] not in at_work), reverse=True)


def _look(descriptor: int, port: int) -> _Connection | None:
    """What a descriptor is, if it is a connection to `port`."""
    with contextlib.suppress(OSError), _opened(descriptor) as own:
        if own is not None and own.family in (socket.AF_INET, socket.AF_INET6) and own.getsockname()[1] == port:
            caller = own.getpeername()  # the socket that listens has none
            info = own.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
            return _Connection(struct.unpack_from("I", info, _LAST_DATA_RECEIVED)[0], descriptor, caller)
    return None


def _end(connection: _Connection) -> None:
    """To gRPC it is as if the caller had hung up.

    The descriptor may be another connection's by now, but a copy of it stays what it is while the caller is compared.
    """
    with contextlib.suppress(OSError), _opened(connection.descriptor) as own:
        if own is not None and own.getpeername() == connection.caller:
            own.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def _opened(descriptor: int) -> Iterator[socket.socket | None]:
    """A descriptor of our own for the same socket, if it is one."""
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        yield None
        return
    own = os.dup(descriptor)
    try:
        with socket.socket(fileno=own) as opened:
            own = -1
            yield opened
    finally:
        if own >= 0:
            os.close(own)
