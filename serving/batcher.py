"""Client-side batching: many single rows, sent together.

with Batcher(client, "predict_image") as batcher:
    future = batcher.submit({"image": png})          # from any thread; a row, without the batch dimension
    future.result()["classes"]                       # its row of the outputs
"""

import queue
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any

import numpy as np

from serving.client import Client
from serving.errors import FailedPreconditionError
from serving.refusals import in_parts
from serving.signatures import as_array
from serving.tensors import strings

_Row = tuple[Mapping[str, Any], Future]


class Batcher:
    """Collects rows until there are `max_batch_size`, or the first has waited `max_latency` seconds, and sends them as one request.

    Rows of other names, types or shapes than their neighbours go by themselves, and a request that is refused is sent again in halves, so
    that only the rows that are wrong fail.
    """

    def __init__(self, client: Client, signature_name: str = "", *, max_batch_size: int = 64, max_latency: float = 0.005) -> None:
        self._client, self._signature_name = client, signature_name
        self._max_batch_size, self._max_latency = max_batch_size, max_latency
        self._rows: queue.SimpleQueue[_Row | None] = queue.SimpleQueue()
        self._lock, self._is_closed = threading.Lock(), False
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    def submit(self, row: Mapping[str, Any]) -> "Future[dict[str, np.ndarray]]":
        """One row by input name; its outputs without the batch dimension, or the ServingError that the server answers.

        A future that is cancelled before its row is sent is not sent. Raises RuntimeError after `close`.
        """
        future: Future[dict[str, np.ndarray]] = Future()
        with self._lock:
            if self._is_closed:
                raise RuntimeError("Expected a Batcher that is open. Received a row after close().")
            self._rows.put((row, future))
        return future

    def close(self) -> None:
        """Sends what waits, and returns when it is answered."""
        with self._lock:
            self._is_closed = True
            self._rows.put(None)
        self._thread.join()

    def __enter__(self) -> "Batcher":
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
        for rows in _alike([row for row in batch if row[1].set_running_or_notify_cancel()]):
            try:
                for part, answer in in_parts(rows, self._predict, Exception):
                    for position, (_, future) in enumerate(part):
                        if isinstance(answer, Exception):
                            future.set_exception(answer)
                        else:
                            future.set_result({name: values[position] for name, values in answer.items()})
            except Exception as error:  # noqa: BLE001 - whatever it is belongs to those who wait for the futures
                for _, future in rows:
                    if not future.done():
                        future.set_exception(error)

    def _predict(self, rows: Sequence[_Row]) -> dict[str, np.ndarray]:
        outputs = self._client.predict(_stacked([row for row, _ in rows]), self._signature_name)
        for name, values in outputs.items():
            if values.shape[:1] != (len(rows),):
                raise FailedPreconditionError(
                    f"Output '{name}': expected a row for each of {len(rows)} that were sent. Received the shape {list(values.shape)}."
                )
        return outputs


def _alike(batch: Sequence[_Row]) -> Iterable[list[_Row]]:
    """Lists of rows that one request can hold; a row that no request can fails here."""
    groups: dict[Any, list[_Row]] = {}
    for row, future in batch:
        try:
            groups.setdefault(_kind(row), []).append((row, future))
        except Exception as error:  # noqa: BLE001 - the row may be anything, and its neighbours still go
            future.set_exception(error)
    return groups.values()


def _kind(row: Mapping[str, Any]) -> Any:
    """Names, types and shapes. NumPy would make one type of values of several, and change them by that."""
    arrays = {name: as_array(value) for name, value in row.items()}
    return frozenset((name, type(row[name]), array.dtype, array.shape) for name, array in arrays.items())


def _stacked(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: _column([row[name] for row in rows]) for name in rows[0]}


def _column(values: Sequence[Any]) -> Any:
    if isinstance(values[0], bytes):
        return strings(values)
    return np.stack(values) if isinstance(values[0], (np.ndarray, np.generic)) else list(values)
