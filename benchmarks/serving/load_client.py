"""A process that sends load to any target: as many as are answered (closed loop), or at a rate (open loop).

`python -m benchmarks.serving.load_client`
"""

import asyncio
import base64
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Mapping

import grpc

from benchmarks.serving.grpc_sender import GrpcSender
from benchmarks.serving.http_sender import HttpError, HttpSender
from benchmarks.serving.target import Target
from benchmarks.serving.worker import answer

REFUSALS = (HttpError, grpc.RpcError)
Send = Callable[[], Awaitable[bytes]]


def main() -> None:
    """Answers `once`, `closed`, `open` and `count`."""
    answer(
        {
            "once": lambda target: base64.b64encode(_run(target, lambda send: send())).decode(),
            "closed": lambda target, callers, seconds: _run(target, lambda send: closed_loop(send, callers, seconds)),
            "open": lambda target, rate, seconds, seed: _run(target, lambda send: open_loop(send, rate, seconds, seed)),
            "count": lambda target, callers, requests: _run(target, lambda send: counted(send, callers, requests)),
        }
    )


def _run(target: Mapping[str, str], work: Callable[[Send], Awaitable]) -> object:
    """What `work` returns, with the target's sender at its disposal."""
    sender = {"http": HttpSender, "grpc": GrpcSender}[target["protocol"]]

    async def run() -> object:
        async with sender(Target.from_json(target)) as open_sender:
            return await work(open_sender.send)

    return asyncio.run(run())


async def closed_loop(send: Send, callers: int, seconds: float) -> float:
    """Answers a second to so many callers, each sending again as soon as it is answered or refused."""
    answered, end = 0, time.perf_counter() + seconds

    async def call() -> None:
        nonlocal answered
        while time.perf_counter() < end:
            with contextlib.suppress(*REFUSALS):
                await send()
                answered += 1

    started = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(callers)))
    return answered / (time.perf_counter() - started)


async def open_loop(send: Send, rate: float, seconds: float, seed: int) -> list[float]:
    """Seconds from the moment each request was due to its answer; they are due at random, seeded, whether others are answered or not.

    A refusal, of a server that sheds load, counts as an answer that came at the end of the turn at the earliest.
    """
    arrivals, latencies = _arrivals(rate, seconds, seed), []
    started = time.perf_counter()

    async def call(due: float) -> None:
        try:
            await send()
        except REFUSALS:
            latencies.append(max(seconds, time.perf_counter() - started) - due)
        else:
            latencies.append(time.perf_counter() - started - due)

    async with asyncio.TaskGroup() as group:
        for due in arrivals:
            if (wait := due - (time.perf_counter() - started)) > 0:
                await asyncio.sleep(wait)
            group.create_task(call(due))
    return latencies


def _arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    """Seconds from the start, as independent callers would come: exponential gaps."""
    generator, due, arrivals = random.Random(seed), 0.0, []  # noqa: S311 - a schedule, nothing secret
    while (due := due + generator.expovariate(rate)) < seconds:
        arrivals.append(due)
    return arrivals


async def counted(send: Send, callers: int, requests: int) -> int:
    """Sends exactly so many requests from so many callers and returns their number."""
    left = requests

    async def call() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await send()

    await asyncio.gather(*(call() for _ in range(callers)))
    return requests


if __name__ == "__main__":
    main()
