"""Requests that wait for a model run together, as TensorFlow Serving's session batching runs them, where their rows may be shared.

    run(call, arrays):  wait in the queue of the same call and row shapes
                        -> a batch thread is free: all that wait there, up to the batch size, run as one
                        -> each gets its rows of the outputs

Everything but the run itself happens in one event loop, so that there are no locks, nobody's thread blocks, and the requests that
arrive during a run are the next batch. One caller alone does not wait for company unless `batch_timeout_micros` says so. Where its
model is marked and quick, and its request is small, it does not pay for a batch thread either: two changes of threads cost as much as
a small model's run. A model without the mark may take any time for any input, and never runs in the event loop.
"""

import asyncio
import heapq
import logging
import math
import queue
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence
from operator import itemgetter

import numpy as np

from serving.errors import FailedPreconditionError, InvalidArgumentError, UnavailableError
from serving.server.batching_parameters import BatchingParameters

_log = logging.getLogger(__name__)
# A run as short as this may hold up the event loop, where nothing in the request can make it much longer: a PNG of 1,024 bytes can
# hold eight million pixels, which take some 50 ms, and after one such run the next ones go to a batch thread.
_QUICK_SECONDS = 0.002
_QUICK_ROWS = 4
_QUICK_BYTES = 4096
_QUICK_STRING_BYTES = 1024
# Beside a batch that is soon over a second one would take the core that requests are read on.
_SOON_OVER_SECONDS = 0.02
# One caller alone is told from many by this: nobody asks while it is answered, and its next request takes this long to come.
_ALONE_SECONDS = 0.00025
_ALONE_RUNS = 20

Call = Callable[..., list[np.ndarray]]
# Told of every batch that ran: the model's name, rows, rows of padding among them, seconds that each request waited, seconds of the run.
Observer = Callable[[str, int, int, Sequence[float], float], None]


class _Task:
    """One request: its rows, and the future that its caller awaits."""

    __slots__ = ("arrays", "call", "enqueued", "error", "future", "is_marked", "key", "model", "outputs", "size")

    def __init__(
        self, call: Call, arrays: Sequence[np.ndarray], size: int, key: Hashable, future: asyncio.Future, model: str, *, is_marked: bool
    ) -> None:
        self.model, self.is_marked = model, is_marked
        self.call, self.arrays, self.size, self.key, self.future = call, arrays, size, key, future
        self.outputs: list[np.ndarray] | None = None
        self.error: Exception | None = None
        self.enqueued = time.monotonic()

    def deliver(self) -> None:
        if self.future.done():  # its caller has gone
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.outputs)


class _Queue(deque):
    """The tasks that may share a batch, and how many rows they are; or, with no rows, those of one call that each run by themselves."""

    rows = 0


class Batching:
    """The queues and the batch threads of one server, shared by all its models. Made and used in one event loop."""

    def __init__(self, parameters: BatchingParameters, observe: Observer = lambda model, rows, padding, waits, seconds: None) -> None:
        self.parameters = parameters
        self._observe = observe
        self._timeout = parameters.batch_timeout_micros / 1e6
        self._gather = parameters.gather_micros / 1e6
        self._idle = list(range(parameters.num_batch_threads))  # a heap: the first thread is preferred, for its caches are warm
        self._running: Counter[Hashable] = Counter()  # rows; one for what runs by itself
        self._queues: dict[Hashable, _Queue] = {}
        self._last_key: Hashable = None
        self._last_rows = 0
        self._is_starting = False
        self._timer: asyncio.TimerHandle | None = None
        self._alone_runs = 0
        self._delivered = 0.0
        self._seconds: weakref.WeakKeyDictionary[Call, float] = weakref.WeakKeyDictionary()  # that a few rows took lately
        self._batch_seconds: weakref.WeakKeyDictionary[Call, float] = weakref.WeakKeyDictionary()  # that the last of several rows took
        self._batches: list[queue.SimpleQueue[tuple[asyncio.AbstractEventLoop, list[_Task]] | None]] = []
        for number in self._idle:
            self._batches.append(queue.SimpleQueue())
            threading.Thread(target=self._work, args=(number,), name=f"batch-{number}", daemon=True).start()

    async def run(
        self, call: Call, arrays: Sequence[np.ndarray], model: str = "", *, shares_rows: bool = True, is_marked: bool = False
    ) -> list[np.ndarray]:
        """`call(*arrays)` in a batch thread, in company where there is some.

        Rows are the first dimension of every array that goes in and comes out; what may not share them (`shares_rows`) runs by itself
        unless the parameters are strict. Of a model that `is_marked` a small request may run in the event loop. Raises what `call`
        raises, UnavailableError when the queue is full, and for what cannot be batched (see `BatchingParameters.strict`)
        InvalidArgumentError or FailedPreconditionError.
        """
        loop = asyncio.get_running_loop()
        size = self._size(arrays) if shares_rows or self.parameters.strict else 0
        key = (call, *map(self._row_shape, arrays)) if size else call
        task = _Task(call, arrays, size, key, loop.create_future(), model, is_marked=is_marked)
        if self._queues or self._running or task.enqueued - self._delivered < _ALONE_SECONDS:
            self._alone_runs = 0
        self._enqueue(task)
        if not self._is_starting:  # at the end of the loop's turn, so that all who arrive in it go together
            self._is_starting = True
            loop.call_soon(self._start_batches, loop)
        return await task.future

    def close(self) -> None:
        """Ends the batch threads when they have run what they have."""
        for batches in self._batches:
            batches.put(None)

    def _size(self, arrays: Sequence[np.ndarray]) -> int:
        """Rows of a request; 0 for one that runs by itself."""
        if not arrays:
            return 0
        if any(array.ndim == 0 for array in arrays):
            return self._refuse("Batching Run() input tensors must have at least one dimension")
        size = len(arrays[0])
        if any(len(array) != size for array in arrays):
            return self._refuse("Batching Run() input tensors must have equal 0th-dimension size")
        most = self.parameters.max_batch_size
        if size > most and not self.parameters.max_execution_batch_size:
            return self._refuse(f"Task size {size} is larger than maximum input batch size {most}")
        return size

    def _refuse(self, problem: str) -> int:
        if self.parameters.strict:
            raise InvalidArgumentError(problem)
        return 0

    def _row_shape(self, array: np.ndarray) -> Hashable:
        return array.ndim if self.parameters.pad_variable_length_inputs else array.shape[1:]

    def _enqueue(self, task: _Task) -> None:
        waiting = self._queues.get(task.key)
        if waiting is None:
            waiting = self._queues[task.key] = _Queue()
        most = self.parameters.max_batch_size
        if waiting and waiting.rows + task.size > most * self.parameters.max_enqueued_batches:
            raise UnavailableError(
                f"The batch scheduling queue to which this task was submitted is full; currently {-(-waiting.rows // most)} batches "
                f"enqueued and max_enqueued_batches is {self.parameters.max_enqueued_batches}"
            )
        waiting.append(task)
        waiting.rows += task.size

    def _start_batches(self, loop: asyncio.AbstractEventLoop) -> None:
        """Gives the idle batch threads what is ready, and comes back when the next queue may be."""
        self._is_starting = False
        now = time.monotonic()
        while self._idle and self._queues:
            # Those that are ready are equal, and the first of them has waited longest for its turn.
            ready = ((key, max(now, self._ready_at(key, waiting))) for key, waiting in self._queues.items())
            key, ready_at = min(ready, key=itemgetter(1))
            if ready_at == math.inf:  # until the batch that runs has ended
                return
            if ready_at > now:
                if self._timer is not None:
                    self._timer.cancel()
                self._timer = loop.call_later(ready_at - now, self._start_batches, loop)
                return
            batch = self._take_batch(key)
            if batch:
                self._start(loop, batch)

    def _ready_at(self, key: Hashable, waiting: _Queue) -> float:
        """When a queue may run: full ones now, as what runs by itself, others when their first request has waited long enough.

        Where many ask, rows gather for a moment until they are as many as in the last batch or in the one that runs: a larger batch a
        little later is more rows a second. A second batch beside one that is soon over must be large to be worth it.
        """
        if not waiting.rows or waiting.rows >= self.parameters.max_batch_size:
            return 0.0
        running = self._running.get(key, 0)
        if self._gather and running > 1 and waiting.rows < self.parameters.max_batch_size // 2 and self._is_soon_over(waiting):
            return math.inf
        last = self._last_rows if key == self._last_key else 0
        if waiting.rows < max(last, running):
            return waiting[0].enqueued + max(self._timeout, self._gather)
        return waiting[0].enqueued + self._timeout if self._timeout else 0.0

    def _is_soon_over(self, waiting: _Queue) -> bool:
        """Whether the last batch of several rows of that call was."""
        return self._batch_seconds.get(waiting[0].call, math.inf) < _SOON_OVER_SECONDS

    def _start(self, loop: asyncio.AbstractEventLoop, batch: list[_Task]) -> None:
        if self._may_run_here(batch):
            self._answer(batch)
            self._deliver(batch)
            return
        thread = heapq.heappop(self._idle)
        self._last_key, self._last_rows = batch[0].key, _rows(batch)
        self._running[self._last_key] += self._last_rows or 1
        self._batches[thread].put((loop, batch))

    def _may_run_here(self, batch: list[_Task]) -> bool:
        task = batch[0]
        is_alone = self._alone_runs >= _ALONE_RUNS and not self._running and not self._queues
        return is_alone and task.is_marked and self._seconds.get(task.call, 1.0) < _QUICK_SECONDS and _is_small(task)

    def _take_batch(self, key: Hashable) -> list[_Task]:
        """The tasks at the head of a queue that fit into one batch. The queue goes behind the others, so that each gets its turn."""
        waiting = self._queues.pop(key)
        batch, rows = [], 0
        while waiting and (not batch or 0 < rows <= self.parameters.max_batch_size - waiting[0].size):
            task = waiting.popleft()
            waiting.rows -= task.size
            if not task.future.done():  # else its caller has gone, and nobody wants the answer
                batch.append(task)
                rows += task.size
        if waiting:
            self._queues[key] = waiting
        return batch

    def _work(self, thread: int) -> None:
        """A batch thread: runs batches, and wakes the event loop once for each."""
        while (entry := self._batches[thread].get()) is not None:
            loop, batch = entry
            self._answer(batch)
            try:
                loop.call_soon_threadsafe(self._finish, loop, thread, batch)
            except RuntimeError:  # the loop has closed: the server has ended without waiting for this answer
                return

    def _answer(self, batch: list[_Task]) -> None:
        started = time.monotonic()
        rows, padding = _run(batch, self.parameters)
        seconds = time.monotonic() - started
        call = batch[0].call
        if rows > 1:
            self._batch_seconds[call] = seconds
        if rows <= _QUICK_ROWS:
            self._seconds[call] = 0.8 * self._seconds.get(call, seconds) + 0.2 * seconds
        try:
            self._observe(batch[0].model, rows, padding, [started - task.enqueued for task in batch], seconds)
        except Exception:  # noqa: BLE001 - what watches must never keep an answer back
            _log.debug("the observer failed", exc_info=True)

    def _finish(self, loop: asyncio.AbstractEventLoop, thread: int, batch: list[_Task]) -> None:
        heapq.heappush(self._idle, thread)
        key = batch[0].key
        self._running[key] -= _rows(batch) or 1
        if not self._running[key]:
            del self._running[key]
        self._start_batches(loop)  # first, so that the model does not idle while answers are written
        self._deliver(batch)

    def _deliver(self, batch: list[_Task]) -> None:
        for task in batch:
            task.deliver()
        self._alone_runs = self._alone_runs + 1 if len(batch) == 1 and not self._queues and not self._running else 0
        self._delivered = time.monotonic()


def _rows(batch: Sequence[_Task]) -> int:
    """0 for what runs by itself."""
    return sum(task.size for task in batch)


def _is_small(task: _Task) -> bool:
    """Whether neither the rows nor the bytes of a request let its run be much longer than others'."""
    if task.size > _QUICK_ROWS or sum(array.nbytes for array in task.arrays) > _QUICK_BYTES:
        return False
    texts = (text for array in task.arrays if array.dtype == object for text in array.flat)
    return sum(map(len, texts)) <= _QUICK_STRING_BYTES


def _run(batch: Sequence[_Task], parameters: BatchingParameters) -> tuple[int, int]:
    """Sets outputs or error of every task in the batch; rows that ran, and rows of padding among them."""
    rows = _rows(batch)
    try:
        outputs, padding = _run_rows(batch[0].call, _merged(batch, parameters), rows, parameters)
        if padding or len(batch) > 1 or (parameters.strict and rows):
            _check_outputs(outputs, rows + padding)
        _split(outputs, batch, padding)
    except Exception as error:  # noqa: BLE001 - whatever the model raises belongs to the callers, who raise it
        if len(batch) == 1:
            batch[0].error = error
            return rows, 0
        for task in batch:  # one request's fault is not its neighbours': each runs alone and gets its own answer
            _run([task], parameters)
        return rows, 0
    return rows + padding, padding


def _merged(batch: Sequence[_Task], parameters: BatchingParameters) -> list[np.ndarray]:
    if len(batch) == 1:
        return list(batch[0].arrays)
    columns = zip(*(task.arrays for task in batch), strict=True)
    return [np.concatenate(_same_shape(column) if parameters.pad_variable_length_inputs else column) for column in columns]


def _same_shape(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Rows padded to the longest of each dimension, with the array's first value as TensorFlow Serving pads."""
    shape = tuple(max(sizes) for sizes in zip(*(array.shape[1:] for array in arrays), strict=True))
    return [_grown(array, shape) for array in arrays]


def _grown(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if array.shape[1:] == shape:
        return array
    filler = array.flat[0] if array.size else (b"" if array.dtype == object else 0)
    grown = np.full((len(array), *shape), filler, array.dtype)
    grown[tuple(slice(size) for size in array.shape)] = array
    return grown


def _run_rows(call: Call, arrays: list[np.ndarray], rows: int, parameters: BatchingParameters) -> tuple[list[np.ndarray], int]:
    """Outputs with their padding, and how many rows that is. More rows than may run at once run one part after the other."""
    most = parameters.max_execution_batch_size or rows
    if rows > most:
        parts = [
            _run_rows(call, [array[start : start + most] for array in arrays], min(most, rows - start), parameters)
            for start in range(0, rows, most)
        ]
        return [np.concatenate(outputs) for outputs in zip(*(outputs for outputs, _ in parts), strict=True)], parts[-1][1]
    padding = parameters.padded_size(rows) - rows if rows else 0
    if padding:  # by a row that is known to be valid
        arrays = [np.concatenate([array, np.repeat(array[:1], padding, axis=0)]) for array in arrays]
    return call(*arrays), padding


def _check_outputs(outputs: Sequence[np.ndarray], rows: int) -> None:
    for output in outputs:
        if output.ndim == 0:
            raise FailedPreconditionError("Batched output tensor has 0 dimensions")
        if len(output) != rows:
            raise FailedPreconditionError(
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input tensors"
            )


def _split(outputs: list[np.ndarray], batch: Sequence[_Task], padding: int) -> None:
    if len(batch) == 1:
        batch[0].outputs = [output[: batch[0].size] for output in outputs] if padding else outputs
        return
    start = 0
    for task in batch:
        task.outputs = [output[start : start + task.size] for output in outputs]
        start += task.size
