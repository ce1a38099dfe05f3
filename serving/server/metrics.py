"""What is measured: TensorFlow Serving's own metrics, under its names and labels and in its units, and a few that it lacks.

transports, data plane, batching, loading -> one call each, a microsecond or less -> Metrics.page() on the REST port

Names of models that are not served come from callers and may be anything: together they are the one label value `unknown`.
"""

import os
import resource
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from serving.errors import NotFoundError
from serving.server.prometheus import Counter, Histogram, Labels, Reading, exponential, page
from serving.server.saved_model import SavedModel
from serving.server.served_model import ServedModel
from serving.server.version_status import State
from serving.server.warmup import WARMUP_FILE

UNKNOWN = "unknown"
GRPC, REST = "GRPC", "REST"
STAGES = ("parse", "queue", "run", "serialize")
RUNTIME = "TF1"  # what TensorFlow Serving calls the session that runs a graph
THREAD_POOL = "batch_threads"
# Methods that ask nothing of a model; TensorFlow Serving does not count them either.
_NOT_COUNTED = {"GetModelMetadata", "GetModelStatus", "HandleReloadConfigRequest", "get_model_metadata", "get_model_status"}
_MICROS = 1e6
_STATM = Path("/proc/self/statm")


class _Group:
    """Metrics that belong together, one an attribute."""

    def all(self) -> list[Counter | Histogram]:
        return list(vars(self).values())


class _Requests(_Group):
    """What a request was and what became of it."""

    def __init__(self) -> None:
        serving = ":tensorflow:serving:"
        self.count = Counter(serving + "request_count", "Requests, by what they ended with.", ("model_name", "status"))
        self.latency = _latency(serving + "request_latency", "Microseconds of a request that succeeded.", "model_name", "API", "entrypoint")
        self.runtime = _latency(
            serving + "runtime_latency", "Microseconds that a request waited for the model.", "model_name", "API", "runtime"
        )
        self.examples = Histogram(serving + "request_example_counts", "tf.Examples in a request.", ("model",), bounds=exponential(1, 2, 15))
        self.example_total = Counter(serving + "request_example_count_total", "tf.Examples in all requests.", ("model",))
        self.logged = Counter(
            serving + "request_log_count", "Requests sampled for the request log; OK: written.", ("model_name", "status_code")
        )
        self.stages = _latency(
            ":tapeline:serving:stage_latency", f"Microseconds of a request in each stage: {', '.join(STAGES)}.", "model_name", "stage"
        )


class _Runs(_Group):
    """What the graphs did."""

    def __init__(self) -> None:
        session, core, own = ":tensorflow:serving:batching_session:", ":tensorflow:core:", ":tapeline:serving:"
        self.queuing = Histogram(
            session + "queuing_latency",
            "Microseconds that a request waited for its batch.",
            ("thread_pool_name",),
            bounds=exponential(100, 1.2, 52),
        )
        self.batches = Counter(session + "wrapped_run_count", "Batches that ran.")
        self.graphs = Counter(core + "graph_runs", "Runs of a graph.")
        self.graph_time = Counter(core + "graph_run_time_usecs", "Microseconds of all runs of a graph.")
        self.graph_times = Histogram(
            core + "graph_run_time_usecs_histogram", "Microseconds of a run of a graph.", bounds=exponential(1000, 2, 20)
        )
        self.rows = Histogram(own + "batch_rows", "Rows in a batch, without padding.", ("model_name",), bounds=exponential(1, 2, 14))
        self.padding = Counter(own + "batch_padding_rows", "Rows of padding in all batches.", ("model_name",))


class _Loads(_Group):
    """What it took to get a version serving."""

    def __init__(self) -> None:
        load = ":tensorflow:cc:saved_model:"
        self.attempts = Counter(load + "load_attempt_count", "Loads of a SavedModel.", ("model_path", "status"))
        self.latency = Counter(load + "load_latency", "Microseconds of the loads that succeeded.", ("model_path",))
        self.warm_up = _latency(":tensorflow:serving:model_warmup_latency", "Microseconds of a warm-up.", "model_path", "status")


def _latency(name: str, help: str, *labels: str) -> Histogram:
    return Histogram(name, help, labels, bounds=exponential(10, 1.8, 33))


class Metrics:
    """The measurements of one server. Any thread may call; times are given in seconds and shown in microseconds.

    `served` and `in_flight` are asked when the page is: which models there are, and how many requests are being answered.
    """

    def __init__(self, served: Callable[[], Iterable[ServedModel]] = tuple, in_flight: Callable[[], int] = int) -> None:
        self._served = served
        self._known: set[str] = set()
        self._requests, self._runs, self._loads = _Requests(), _Runs(), _Loads()
        self._readings = [
            Reading("gauge", ":tapeline:serving:in_flight_requests", "Requests being answered.", (), lambda: [((), in_flight())]),
            Reading(
                "gauge",
                ":tapeline:serving:model_version",
                "1 for every version that is not at its end.",
                ("model_name", "version", "state"),
                self._versions,
            ),
            Reading("counter", "process_cpu_seconds_total", "User and system CPU time in seconds.", (), _cpu_seconds),
            Reading("gauge", "process_resident_memory_bytes", "Resident memory in bytes.", (), _resident_bytes),
        ]

    def request(self, model: str, api: str, entrypoint: str, status: str, seconds: float) -> None:
        """A request was answered with a status such as `OK` or `NOT_FOUND`. `api`: as `Predict` over gRPC, as `predict` over REST."""
        if api in _NOT_COUNTED:
            return
        name = model if model in self._known else self._label(model)
        self._requests.count.cell(name, status).add()
        if status == "OK":
            self._requests.latency.cell(name, api, entrypoint).add(seconds * _MICROS)

    def runtime(self, model: str, api: str, seconds: float) -> None:
        """A request got its outputs from the model, waiting for its batch included. `api`: `Predict`, `Classify`, `Regress`, ..."""
        self._requests.runtime.cell(model, api, RUNTIME).add(seconds * _MICROS)

    def stage(self, model: str, stage: str, seconds: float) -> None:
        """A request of a served model went through one of STAGES."""
        self._requests.stages.cell(model, stage).add(seconds * _MICROS)

    def batch(self, model: str, rows: int, padding: int, waits: Sequence[float], seconds: float) -> None:
        """A batch ran: so many rows, of which so many padding; how long each of its requests had waited, and how long it ran."""
        micros = [wait * _MICROS for wait in waits]
        self._runs.queuing.cell(THREAD_POOL).add_all(micros)
        self._requests.stages.cell(model, "queue").add_all(micros)
        self._requests.stages.cell(model, "run").add(seconds * _MICROS, len(waits))  # all of them waited for the whole run
        self._runs.batches.cell().add()
        self._runs.rows.cell(model).add(rows - padding)
        if padding:
            self._runs.padding.cell(model).add(padding)
        self.graph_run(seconds)

    def graph_run(self, seconds: float) -> None:
        """A graph ran; `batch` says so itself."""
        self._runs.graphs.cell().add()
        self._runs.graph_time.cell().add(round(seconds * _MICROS))
        self._runs.graph_times.cell().add(seconds * _MICROS)

    def examples(self, model: str, count: int) -> None:
        """A request to classify or regress brought so many tf.Examples."""
        self._requests.examples.cell(model).add(count)
        self._requests.example_total.cell(model).add(count)

    def loading(self, load: Callable[[Path], SavedModel]) -> Callable[[Path], SavedModel]:
        """`load`, counted and timed by the version's folder."""

        def counted(path: Path) -> SavedModel:
            started = time.monotonic()
            try:
                model = load(path)
            except BaseException:
                self._loads.attempts.cell(str(path), "fail").add()
                raise
            self._loads.attempts.cell(str(path), "success").add()
            self._loads.latency.cell(str(path)).add(round((time.monotonic() - started) * _MICROS))
            return model

        return counted

    def warming_up(self, warm_up: Callable[[Path, SavedModel], str]) -> Callable[[Path, SavedModel], str]:
        """`warm_up`, timed where there is a warm-up file; a problem that it tells is the status UNKNOWN."""

        def timed(path: Path, model: SavedModel) -> str:
            started = time.monotonic()
            problem = warm_up(path, model)
            if (path / WARMUP_FILE).is_file():
                status = "UNKNOWN" if problem else "OK"
                self._loads.warm_up.cell(str(path), status).add((time.monotonic() - started) * _MICROS)
            return problem

        return timed

    def logged(self, model: str, status: str) -> None:
        """A request was sampled for the request log: `OK` when it was written, else why not."""
        self._requests.logged.cell(model if model in self._known else self._label(model), status).add()

    def page(self) -> bytes:
        """What the REST port shows, as `prometheus.CONTENT_TYPE`."""
        return page([*self._requests.all(), *self._runs.all(), *self._loads.all(), *self._readings])

    def _label(self, model: str) -> str:
        """A model keeps its lines when it is no longer served; they are as many as were ever served."""
        self._known.update(served.name for served in self._served())
        return model if model in self._known else UNKNOWN

    def _versions(self) -> Iterator[tuple[Labels, float]]:
        for model in self._served():
            try:
                statuses = model.statuses()
            except NotFoundError:  # it has no version yet
                continue
            for status in statuses:
                if status.state != State.END:
                    yield (model.name, str(status.version), status.state.name), 1


def _cpu_seconds() -> list[tuple[Labels, float]]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return [((), usage.ru_utime + usage.ru_stime)]


def _resident_bytes() -> list[tuple[Labels, float]]:
    """Nothing where there is no /proc, as on macOS: Python knows only the peak there."""
    try:
        pages = int(_STATM.read_text(encoding="utf-8").split()[1])
    except OSError:
        return []
    return [((), pages * os.sysconf("SC_PAGE_SIZE"))]
