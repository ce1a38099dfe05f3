"""Room for new connections on the gRPC port: gRPC turns those away once it has as many as it may, however silent the others are.

    few descriptors are open -> nothing
    else                     -> the port's connections -> those that have been silent longest are ended, until half of the room is free

gRPC neither tells who is connected nor takes connections that somebody else has accepted, so they are found among the descriptors
of this process, where Linux lists them. Elsewhere gRPC's own time-outs must do.
"""

import collections
import contextlib
import os
import socket
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

LOOK_SECONDS = 0.1
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
    try:
        names = [path.name for path in _DESCRIPTORS.iterdir()]
    except OSError:  # not on this system
        return 0
    if len(names) <= most * 3 // 4:
        return 0
    found = [connection for name in names if (connection := _look(int(name), port))]
    if len(found) <= most * 3 // 4:
        return 0
    at_work = callers.ports()
    silent = sorted((connection for connection in found if connection.caller[1] not in at_work), reverse=True)
    surplus = silent[: len(found) - most // 2]
    for connection in surplus:
        _end(connection)
    return len(surplus)


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
