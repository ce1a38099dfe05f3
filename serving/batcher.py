"""Client-side batching: many single rows, sent together.

with Batcher(client, "predict_image") as batcher:
    future = batcher.submit({"image": png})          # from any thread; a row, without the batch dimension
    future.result()["classes"]                       # its row of the outputs
"""

import queue
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

import numpy as np

from serving.client import Client
from serving.errors import ServingError
from serving.signatures import as_array
from serving.tensors import strings

_Row = tuple[Mapping[str, Any], Future]


class Batcher:
    """Collects rows until there are `max_batch_size`, or the first has waited `max_latency` seconds, and sends them as one request.

    A request that is refused is sent again row by row, so that only the rows that are wrong fail.
    """

    def __init__(self, client: Client, signature_name: str = "", *, max_batch_size: int = 64, max_latency: float = 0.005) -> None:
        self._client, self._signature_name = client, signature_name
        self._max_batch_size, self._max_latency = max_batch_size, max_latency
        self._rows: queue.SimpleQueue[_Row | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    def submit(self, row: Mapping[str, Any]) -> "Future[dict[str, np.ndarray]]":
        """One row by input name; its outputs without the batch dimension, or the ServingError that the server answers."""
        future: Future[dict[str, np.ndarray]] = Future()
        self._rows.put((row, future))
        return future

    def close(self) -> None:
        """Sends what waits, and returns when it is answered."""
        self._rows.put(None)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _work(self) -> None:
        while (row := self._rows.get()) is not None:
            batch, is_last = self._collected(row)
            self._answer(batch)
            if is_last:
                return

    def _collected(self, first: _Row) -> tuple[list[_Row], bool]:
        batch, end = [first], time.monotonic() + self._max_latency
        while len(batch) < self._max_batch_size:
            try:
                row = self._rows.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                break
            if row is None:
                return batch, True
            batch.append(row)
        return batch, False

    def _answer(self, batch: Sequence[_Row]) -> None:
        try:
            outputs = self._client.predict(_stacked([row for row, _ in batch]), self._signature_name)
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to those who wait for the futures
            if len(batch) == 1 or not isinstance(error, (ServingError, ValueError)):
                for _, future in batch:
                    future.set_exception(error)
                return
            for row in batch:
                self._answer([row])
            return
        for position, (_, future) in enumerate(batch):
            future.set_result({name: values[position] for name, values in outputs.items()})


def _stacked(rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    return {name: _column([row[name] for row in rows]) for name in rows[0]}


def _column(values: Sequence[Any]) -> Any:
    if all(isinstance(value, bytes) for value in values):
        return strings(values)
    if any(isinstance(value, np.ndarray) for value in values):
        return np.stack([as_array(value) for value in values])
    return list(values)
