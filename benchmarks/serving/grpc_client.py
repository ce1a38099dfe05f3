"""A process that calls a server with the project's own client, sync from one or many threads, and with its asyncio one.

`python -m benchmarks.serving.grpc_client ADDRESS`. It holds no TensorFlow, as in an application.
"""

import asyncio
import sys
import threading
import time

from benchmarks.serving import timing
from benchmarks.serving.servers import MODEL_NAME
from benchmarks.serving.signatures import request
from benchmarks.serving.worker import answer
from serving.client import Client

_DEADLINE = 60.0


def main(address: str) -> None:
    """Answers `latency`, `threads` and `aio`."""
    client = Client(address, model_name=MODEL_NAME, deadline=_DEADLINE)

    def latency(signature: str, calls: int) -> list[float]:
        inputs = request(signature, 1)
        return timing.latencies(lambda: client.predict(inputs, signature_name=signature), calls)

    def threads(signature: str, rows: int, callers: int, seconds: float) -> float:
        return rows * _from_threads(client, signature, rows, callers, seconds)

    def aio(signature: str, rows: int, callers: int, seconds: float) -> float:
        return rows * asyncio.run(_from_tasks(address, signature, rows, callers, seconds))

    answer({"latency": latency, "threads": threads, "aio": aio})


def _from_threads(client: Client, signature: str, rows: int, callers: int, seconds: float) -> float:
    """Requests a second of so many threads, each sending its next request when the last is answered."""
    inputs, answered = request(signature, rows), [0] * callers
    end = time.perf_counter() + seconds

    def call(caller: int) -> None:
        while time.perf_counter() < end:
            client.predict(inputs, signature_name=signature)
            answered[caller] += 1

    pool = [threading.Thread(target=call, args=(caller,)) for caller in range(callers)]
    started = time.perf_counter()
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join()
    return sum(answered) / (time.perf_counter() - started)


async def _from_tasks(address: str, signature: str, rows: int, callers: int, seconds: float) -> float:
    """The same with asyncio tasks."""
    from serving.aio_client import AsyncClient

    inputs, answered = request(signature, rows), 0
    async with AsyncClient(address, model_name=MODEL_NAME, deadline=_DEADLINE) as client:
        end = time.perf_counter() + seconds

        async def call() -> None:
            nonlocal answered
            while time.perf_counter() < end:
                await client.predict(inputs, signature_name=signature)
                answered += 1

        started = time.perf_counter()
        await asyncio.gather(*(call() for _ in range(callers)))
        return answered / (time.perf_counter() - started)


if __name__ == "__main__":
    main(sys.argv[1])
