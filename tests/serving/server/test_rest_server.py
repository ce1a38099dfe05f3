"""Which requests are answered at the same time, and which connection goes where there is one too many; over real sockets."""

import asyncio
import contextlib
import json

import pytest

from serving.server.ports import bind_rest
from serving.server.rest_limits import RestLimits
from serving.server.rest_server import RestServer

LARGE = b"a" * (2**20 + 1)
SECONDS = 20  # until a test that hangs has failed


class Answers:
    """Answers with the body's length, and not before `release` where the path is /held. `under_way` are bodies' lengths."""

    def __init__(self):
        self.under_way, self._released, self._changed = [], asyncio.Event(), asyncio.Condition()

    async def __call__(self, method, path, body):
        async with self._changed:
            self.under_way.append(len(body))
            self._changed.notify_all()
        if path == "/held":
            await self._released.wait()
        self.under_way.remove(len(body))
        return 200, "application/json", json.dumps(len(body)).encode()

    async def begun(self, count):
        """Returns when `count` requests are being answered."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.under_way) == count)

    def release(self):
        self._released.set()


@contextlib.asynccontextmanager
async def serving(**limits):
    """Gives `open_connection` and what answers."""
    listener, answers = bind_rest("127.0.0.1", 0), Answers()
    server = RestServer(listener, answers, RestLimits(**limits))
    await server.start()
    writers = []

    async def connect():
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writers.append(writer)
        return reader, writer

    try:
        async with asyncio.timeout(SECONDS):
            yield connect, answers
    finally:
        answers.release()
        for writer in writers:
            writer.close()
        await server.stop()


async def send(connection, path, body=b""):
    connection[1].write(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (path, len(body)) + body)
    await connection[1].drain()


async def received(connection):
    """Status and body of the next answer; None where the connection was closed instead."""
    try:
        head = await connection[0].readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return None
    length = next(int(line.split(b":")[1]) for line in head.lower().splitlines() if line.startswith(b"content-length:"))
    return int(head.split()[1]), int(await connection[0].readexactly(length))


@pytest.mark.parametrize(("body", "at_a_time"), [(LARGE, 2), (LARGE[1:], 4)], ids=["large", "at the bound"])
def test_of_large_bodies_two_are_answered_at_a_time_and_the_others_after_them(body, at_a_time):
    async def run():
        async with serving() as (connect, answers):
            connections = [await connect() for _ in range(4)]
            for connection in connections:
                await send(connection, b"/held", body)
            await answers.begun(at_a_time)
            small = await connect()
            await send(small, b"/now")
            assert await received(small) == (200, 0)  # whatever was read before it has had its turn
            assert len(answers.under_way) == at_a_time
            answers.release()
            assert [await received(connection) for connection in connections] == [(200, len(body))] * 4

    asyncio.run(run())


def test_a_connection_whose_request_is_being_answered_is_not_the_one_that_goes():
    async def run():
        async with serving(connections=2) as (connect, answers):
            working = await connect()
            await send(working, b"/held")
            await answers.begun(1)
            idle = await connect()
            newest = await connect()
            assert await received(idle) is None
            answers.release()
            assert await received(working) == (200, 0)
            await send(newest, b"/now", b"abc")
            assert await received(newest) == (200, 3)

    asyncio.run(run())


def test_a_connection_that_has_its_answer_is_the_last_of_the_idle_ones():
    async def run():
        async with serving(connections=2) as (connect, _):
            first = await connect()
            second = await connect()
            await send(second, b"/now")
            assert await received(second) == (200, 0)  # idle, and there before `first` has its answer
            await send(first, b"/now")
            assert await received(first) == (200, 0)
            await connect()
            assert await received(second) is None
            await send(first, b"/now", b"ab")
            assert await received(first) == (200, 2)
            await connect()
            await connect()
            assert await received(first) is None

    asyncio.run(run())


@pytest.mark.parametrize("path", [b"/now", b"/held"], ids=["idle", "waiting for its answer"])
def test_a_connection_that_its_client_has_closed_is_not_counted_nor_taken_for_an_idle_one(path):
    async def run():
        async with serving(connections=2) as (connect, answers):
            gone, kept = await connect(), await connect()
            await send(gone, path)
            if path == b"/held":
                await answers.begun(1)
            else:
                await received(gone)
            gone[1].close()
            await gone[1].wait_closed()
            await send(kept, b"/now")
            assert await received(kept) == (200, 0)  # the server has seen the end of `gone`
            answers.release()
            third = await connect()
            await send(third, b"/now")
            assert await received(third) == (200, 0)
            await send(kept, b"/now")
            assert await received(kept) == (200, 0)
            await connect()
            assert await received(third) is None

    asyncio.run(run())
