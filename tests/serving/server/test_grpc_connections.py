"""A new caller finds room on the gRPC port, however many silent connections there are."""

import asyncio
import contextlib
import os
import socket
import sys
import threading
import time

import grpc
import pytest

from serving.client import Client
from serving.server.event_loop import EventLoop
from serving.server.grpc_connections import Callers, end_stalled, make_room
from serving.server.ports import GrpcLimits, bind_grpc

MOST = 16
SETTINGS = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
ASK = (  # a request's headers, not compressed
    b"\x83\x86\x04\x09/test/Ask\x01\x01a\x00\x0ccontent-type\x10application/grpc\x00\x02te\x08trailers"
)
HALF_A_MESSAGE = (  # of 100 bytes three are there
    bytes([0, 0, len(ASK), 1, 4, 0, 0, 0, 1]) + ASK + bytes([0, 0, 8, 0, 0, 0, 0, 0, 1]) + bytes([0, 0, 0, 0, 100]) + b"abc"
)
OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists a process's descriptors so")


class Port:
    """A gRPC port of at most MOST connections, whose one method answers, or does so when `released` is set."""

    def __init__(self):
        self.callers, self.arrived, self.released, self._loop = Callers(), threading.Event(), threading.Event(), EventLoop()
        self._server, self.number = self._loop.run(bind_grpc("127.0.0.1", 0, limits=GrpcLimits(connections=MOST)))
        self._loop.run(self._start())

    async def _start(self):
        async def wait(body, context):
            with self.callers.working_for(context.peer()):
                self.arrived.set()
                while body and not self.released.is_set():
                    await asyncio.sleep(0.01)
            return b"answer"

        method = grpc.unary_unary_rpc_method_handler(wait)
        self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test", {"Ask": method})])
        await self._server.start()

    def connected(self, stack):
        """A caller's method, over a connection of its own."""
        return stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{self.number}", options=OWN_CONNECTION)).unary_unary("/test/Ask")

    def silent(self, stack, said, count):
        """So many connections that say no more."""
        made = [stack.enter_context(socket.create_connection(("127.0.0.1", self.number), 20)) for _ in range(count)]
        for connection in made:
            connection.sendall(said)
        return made

    def make_room(self):
        """Until something is found: gRPC takes a moment to accept."""
        deadline = time.monotonic() + 20
        while not (ended := make_room(self.number, MOST, self.callers)) and time.monotonic() < deadline:
            time.sleep(0.01)
        return ended

    def stop(self):
        self._loop.run(self._server.stop(0))
        self._loop.stop()


@pytest.fixture
def port():
    port = Port()
    yield port
    port.stop()


def is_turned_away(ask):
    try:
        ask(b"", timeout=20)
    except grpc.RpcError as error:
        return error.code() == grpc.StatusCode.UNAVAILABLE
    return False


@pytest.mark.parametrize("said", [b"", SETTINGS], ids=["silent", "settings alone"])
def test_a_new_caller_is_answered_beside_as_many_silent_connections_as_there_may_be(port, said):
    with contextlib.ExitStack() as stack:
        port.silent(stack, said, MOST + 4)
        assert is_turned_away(port.connected(stack))
        assert MOST // 2 <= port.make_room() <= MOST
        assert port.connected(stack)(b"", timeout=20, wait_for_ready=True) == b"answer"


def test_who_has_a_request_under_way_and_who_spoke_last_are_left_alone(port):
    with contextlib.ExitStack() as stack:
        at_work = port.connected(stack).future(b"wait", timeout=60)
        assert port.arrived.wait(20)
        silent = port.silent(stack, b"", MOST - 2)
        time.sleep(0.05)  # the kernel counts silence in milliseconds
        talks = port.connected(stack)
        assert talks(b"", timeout=20) == b"answer"
        assert port.make_room() == MOST // 2
        ended = [connection for connection in silent if is_closed(connection)]
        assert len(ended) == MOST // 2
        port.released.set()
        assert at_work.result() == b"answer"
        assert talks(b"", timeout=20) == b"answer"


def test_a_few_connections_are_left_alone_and_so_is_every_other_port(port):
    with contextlib.ExitStack() as stack, socket.create_server(("127.0.0.1", 0)) as other:
        port.silent(stack, SETTINGS, MOST // 2)
        elsewhere = [stack.enter_context(socket.create_connection(other.getsockname(), 20)) for _ in range(MOST)]
        assert port.connected(stack)(b"", timeout=20, wait_for_ready=True) == b"answer"
        assert make_room(port.number, MOST, port.callers) == 0
        assert not any(is_closed(connection, seconds=0.001) for connection in elsewhere)


def test_who_leaves_half_a_message_is_ended_and_who_waits_for_an_answer_is_not(port):
    with contextlib.ExitStack() as stack:
        at_work = port.connected(stack).future(b"wait", timeout=60)
        assert port.arrived.wait(20)
        [stalled] = port.silent(stack, SETTINGS + HALF_A_MESSAGE, 1)
        time.sleep(0.05)  # the kernel counts silence in milliseconds
        assert end_stalled(port.number, 60, port.callers) == 0
        assert not is_closed(stalled)
        assert end_stalled(port.number, 0.01, port.callers) == 1
        assert is_closed(stalled)
        port.released.set()
        assert at_work.result() == b"answer"


def is_closed(connection, seconds=0.5):
    """Whether the other side has ended it; what it said before counts for nothing."""
    connection.settimeout(seconds)
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        return False
    except ConnectionResetError:
        pass
    return True


def test_who_calls_is_known_by_port_whatever_the_family():
    callers = Callers()
    with callers.working_for("ipv4:127.0.0.1:50000"), callers.working_for("ipv6:%5B::1%5D:50001"), callers.working_for("unix:"):
        with callers.working_for("ipv4:127.0.0.1:50000"):
            pass
        assert callers.ports() == {50000, 50001}
    assert callers.ports() == frozenset()


def test_the_server_knows_who_has_a_request_to_a_model_under_way(served, tmp_path):
    pipes = {name: tmp_path / name for name in ("here", "there")}
    for pipe in pipes.values():
        os.mkfifo(pipe)
    with Client(served.grpc, model_name="digits", deadline=60) as client:
        inputs = {name: str(pipe).encode() for name, pipe in pipes.items()}
        caller = threading.Thread(target=client.predict, args=(inputs, "meet"))
        caller.start()
        assert pipes["here"].read_text() == "in flight"
        assert len(served.callers.ports()) == 1
        assert pipes["there"].read_text() == "answered"
        caller.join(60)
    assert served.callers.ports() == frozenset()
