"""The request log: a share of the requests that were answered, and their answers, as PredictionLog in TFRecord files.

    offer(model, make):  sampled? -> a bounded queue, full: dropped and counted -> one thread: make the message -> record_files

Requests wait for nothing here: their messages are made, serialized and written in the thread. `logged_requests` reads them back.
"""

import contextlib
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from serving.errors import ServingError
from serving.server.record_files import RecordFiles, Rotation

# The name of PredictionLog's field, the request's message and the response's.
Logged = tuple[str, Any, Any]
MAX_QUEUED = 1000
MAX_QUEUED_BYTES = 64 * 1024 * 1024
_FLUSH_SECONDS = 1.0
_CLOSE_SECONDS = 3.0
_PAUSE_SECONDS = 1.0  # after a disk that could not be written


@dataclass(frozen=True)
class Sampling:
    """Which share of a model's requests is logged, 0 to 1, and the path that its files' names begin with."""

    rate: float
    prefix: Path


class _Entry(NamedTuple):
    model: str
    sampling: Sampling
    make: Callable[[], Logged]
    size: int
    when: int


class RequestLog:
    """Logs every model by `default` (None: not at all) unless `updated` says otherwise.

    `watch(model, status)` hears of each request that is sampled, in any thread: `OK` when it is written.
    Raises StartError when the files cannot be written. With a seed the same requests are sampled every time.
    """

    def __init__(
        self,
        default: Sampling | None,
        rotation: Rotation = Rotation(),  # noqa: B008 - it is frozen
        *,
        models: Mapping[str, Sampling] | None = None,
        watch: Callable[[str, str], None] = lambda model, status: None,
        seed: int | None = None,
    ) -> None:
        self._default, self._rotation, self._watch = default, rotation, watch
        self._random = random.Random(seed).random  # noqa: S311 - it picks samples, no secrets
        self._queue: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._queued = self._queued_bytes = 0
        self._open = True
        self._files: dict[Path, RecordFiles] = {}
        self._pause_until = 0.0
        self._models: Mapping[str, Sampling] = {}
        with self.updated(models or {}):
            pass
        self._thread = threading.Thread(target=self._work, name="request-log", daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def updated(self, models: Mapping[str, Sampling]) -> Iterator[None]:
        """From the block's end on these models are logged as they say, see `logging_config`; where it raises nothing changes.

        Raises StartError when it is entered, for files that cannot be written.
        """
        new: dict[Path, RecordFiles] = {}
        try:
            for sampling in (self._default, *models.values()):
                if sampling is not None and sampling.prefix not in self._files and sampling.prefix not in new:
                    new[sampling.prefix] = RecordFiles(sampling.prefix, self._rotation)
            yield
        except BaseException:
            for files in new.values():
                files.close()
            raise
        self._files.update(new)
        self._models = dict(models)

    def offer(self, model: str, make: Callable[[], Logged], size: int = 0) -> None:
        """A request was answered. If it is sampled `make` is called later in another thread; `size`: the bytes that it holds till then."""
        sampling = self._models.get(model, self._default)
        if sampling is None or self._random() >= sampling.rate:
            return
        with self._lock:
            has_room = self._open and self._queued < MAX_QUEUED and self._queued_bytes + size <= MAX_QUEUED_BYTES
            if has_room:
                self._queued += 1
                self._queued_bytes += size
                self._queue.put(_Entry(model, sampling, make, size, int(time.time())))
        if not has_room:
            self._watch(model, "RESOURCE_EXHAUSTED")

    def close(self) -> None:
        """Writes what is queued and ends the files; what takes longer than a few seconds is given up."""
        with self._lock:
            self._open = False
            self._queue.put(None)
        self._thread.join(_CLOSE_SECONDS)

    def _work(self) -> None:
        flushed = time.monotonic()
        while True:
            try:
                entry = self._queue.get(timeout=_FLUSH_SECONDS)
                if entry is None:
                    break
                self._take(entry)
            except queue.Empty:
                pass
            if not self._queued or time.monotonic() - flushed > _FLUSH_SECONDS:
                self._for_all_files(RecordFiles.flush)
                flushed = time.monotonic()
        self._for_all_files(RecordFiles.close)

    def _take(self, entry: _Entry) -> None:
        status = self._write(entry)
        with self._lock:
            self._queued -= 1
            self._queued_bytes -= entry.size
        self._watch(entry.model, status)

    def _write(self, entry: _Entry) -> str:
        """What became of it, as a status code's name."""
        if time.monotonic() < self._pause_until:
            return "UNAVAILABLE"
        try:
            record = _prediction_log(entry).SerializeToString()
        except Exception:  # noqa: BLE001 - a request that cannot be told must not end the log
            return "INTERNAL"
        try:
            self._files[entry.sampling.prefix].write(record)
        except (OSError, tf.errors.OpError):
            self._pause_until = time.monotonic() + _PAUSE_SECONDS
            return "UNAVAILABLE"
        return "OK"

    def _for_all_files(self, do: Callable[[RecordFiles], None]) -> None:
        for files in list(self._files.values()):
            try:
                do(files)
            except (OSError, tf.errors.OpError):
                self._pause_until = time.monotonic() + _PAUSE_SECONDS


def _prediction_log(entry: _Entry) -> PredictionLog:
    field, request, response = entry.make()
    if field not in PredictionLog.DESCRIPTOR.fields_by_name:
        raise ServingError(f"Expected a field of PredictionLog. Received: {field!r}.")
    log = PredictionLog()
    getattr(log, field).request.CopyFrom(request)
    getattr(log, field).response.CopyFrom(response)
    spec = response.results[0].model_spec if field == "multi_inference_log" else response.model_spec
    log.log_metadata.model_spec.CopyFrom(spec)
    log.log_metadata.sampling_config.sampling_rate = entry.sampling.rate
    log.log_metadata.timestamp_secs = entry.when
    return log
