"""The metrics have TensorFlow Serving's names, labels and buckets, Prometheus's parser reads them, and callers cannot make them grow."""

import threading
import types
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.errors import NotFoundError
from serving.server.metrics import Metrics
from serving.server.version_status import State, VersionStatus
from serving.server.warmup import WARMUP_FILE

# Name -> kind and labels, as tensorflow_model_server's own page has them.
TENSORFLOW_SERVING = {
    ":tensorflow:serving:request_count": ("counter", {"model_name", "status"}),
    ":tensorflow:serving:request_latency": ("histogram", {"model_name", "API", "entrypoint"}),
    ":tensorflow:serving:runtime_latency": ("histogram", {"model_name", "API", "runtime"}),
    ":tensorflow:serving:request_example_counts": ("histogram", {"model"}),
    ":tensorflow:serving:request_example_count_total": ("counter", {"model"}),
    ":tensorflow:serving:request_log_count": ("counter", {"model_name", "status_code"}),
    ":tensorflow:serving:model_warmup_latency": ("histogram", {"model_path", "status"}),
    ":tensorflow:serving:batching_session:queuing_latency": ("histogram", {"thread_pool_name"}),
    ":tensorflow:serving:batching_session:wrapped_run_count": ("counter", set()),
    ":tensorflow:cc:saved_model:load_attempt_count": ("counter", {"model_path", "status"}),
    ":tensorflow:cc:saved_model:load_latency": ("counter", {"model_path"}),
    ":tensorflow:core:graph_runs": ("counter", set()),
    ":tensorflow:core:graph_run_time_usecs": ("counter", set()),
    ":tensorflow:core:graph_run_time_usecs_histogram": ("histogram", set()),
}


class Model:
    """What Metrics asks of a served model."""

    def __init__(self, name, *statuses):
        self.name, self._statuses = name, statuses

    def statuses(self):
        if not self._statuses:
            raise NotFoundError(f"Could not find any versions of model {self.name}")
        return list(self._statuses)


@pytest.fixture
def models():
    return [Model("digits", VersionStatus(7, State.AVAILABLE), VersionStatus(6, State.END)), Model("empty")]


@pytest.fixture
def metrics(models):
    return Metrics(lambda: models, lambda: 3)


@pytest.fixture
def used(metrics, tmp_path):
    """Every measurement taken once."""
    metrics.request("digits", "Predict", "GRPC", "OK", 0.0015)
    metrics.runtime("digits", "Predict", 0.001)
    metrics.stage("digits", "parse", 0.0001)
    metrics.batch("digits", 8, 3, [0.0002, 0.0004], 0.003)
    metrics.examples("digits", 5)
    metrics.loading(lambda path: None)(tmp_path)
    (tmp_path / WARMUP_FILE).parent.mkdir()
    (tmp_path / WARMUP_FILE).touch()
    metrics.warming_up(lambda path, model: "")(tmp_path, None)
    metrics.logged("digits", "OK")
    return metrics


def lines(metrics, start):
    return [line for line in metrics.page().decode().splitlines() if line.startswith(start)]


def families(metrics):
    return {family.name: family for family in text_string_to_metric_families(metrics.page().decode())}


def sample(metrics, line_start):
    (line,) = lines(metrics, line_start)
    return float(line.rpartition(" ")[2])


def test_prometheus_reads_every_metric_of_tensorflow_serving_with_its_kind_and_labels(used):
    found = families(used)
    for name, (kind, labels) in TENSORFLOW_SERVING.items():
        # The parser calls a counter by its name without `_total`.
        family = found[name.removesuffix("_total") if kind == "counter" else name]
        assert family.type == kind, name
        assert {frozenset(set(sample.labels) - {"le"}) for sample in family.samples} == {frozenset(labels)}, name


def test_lines_are_written_as_tensorflow_serving_writes_them(used):
    page = used.page().decode()
    assert "# TYPE :tensorflow:serving:request_count counter\n" in page
    assert ':tensorflow:serving:request_count{model_name="digits",status="OK"} 1\n' in page
    assert "# TYPE :tensorflow:serving:request_latency histogram\n" in page
    assert ':tensorflow:serving:request_latency_bucket{model_name="digits",API="Predict",entrypoint="GRPC",le="10"} 0\n' in page
    assert ':tensorflow:serving:request_latency_sum{model_name="digits",API="Predict",entrypoint="GRPC"} 1500\n' in page
    assert ':tensorflow:serving:request_latency_count{model_name="digits",API="Predict",entrypoint="GRPC"} 1\n' in page
    assert ':tensorflow:serving:runtime_latency_count{model_name="digits",API="Predict",runtime="TF1"} 1\n' in page
    assert ":tensorflow:core:graph_runs{} 1\n" in page


@pytest.mark.parametrize(
    ("name", "count", "some"),
    [
        (":tensorflow:serving:request_latency", 34, {"10", "18", "32.4", "708235"}),
        (":tensorflow:serving:runtime_latency", 34, {"10", "18", "32.4", "708235"}),
        (":tensorflow:serving:batching_session:queuing_latency", 53, {"100", "120", "144"}),
        (":tensorflow:serving:request_example_counts", 16, {"1", "2", "16384"}),
        (":tensorflow:core:graph_run_time_usecs_histogram", 21, {"1000", "2000", "4000"}),
    ],
)
def test_buckets_are_tensorflow_servings(used, name, count, some):
    bounds = [sample.labels["le"] for sample in families(used)[name].samples if sample.name.endswith("_bucket")]
    assert len(bounds) == count
    assert bounds[-1] == "+Inf"
    assert some <= set(bounds)


def test_buckets_count_what_is_not_above_their_bound_and_only_grow(metrics):
    for count in (1, 2, 3, 100_000):
        metrics.examples("digits", count)
    buckets = {
        sample.labels["le"]: sample.value
        for sample in families(metrics)[":tensorflow:serving:request_example_counts"].samples
        if sample.name.endswith("_bucket")
    }
    assert (buckets["1"], buckets["2"], buckets["4"], buckets["16384"], buckets["+Inf"]) == (1, 2, 3, 3, 4)
    assert list(buckets.values()) == sorted(buckets.values())


def test_a_request_that_failed_is_counted_but_its_latency_is_not(metrics):
    metrics.request("digits", "predict", "REST", "INVALID_ARGUMENT", 0.001)
    assert sample(metrics, ':tensorflow:serving:request_count{model_name="digits",status="INVALID_ARGUMENT"}') == 1
    assert not lines(metrics, ":tensorflow:serving:request_latency_count")


@pytest.mark.parametrize("api", ["GetModelStatus", "GetModelMetadata", "get_model_status", "HandleReloadConfigRequest"])
def test_what_asks_nothing_of_a_model_is_not_counted(metrics, api):
    metrics.request("digits", api, "GRPC", "OK", 0.001)
    assert not lines(metrics, ":tensorflow:serving:request_count{")


def test_names_of_models_that_callers_made_up_share_one_line(metrics):
    for number in range(500):
        metrics.request(f'no"{number}\n\\', "Predict", "GRPC", "NOT_FOUND", 0.001)
    assert lines(metrics, ":tensorflow:serving:request_count{") == [
        ':tensorflow:serving:request_count{model_name="unknown",status="NOT_FOUND"} 500'
    ]


def test_a_model_that_comes_later_gets_its_own_lines_and_keeps_them_when_it_goes(metrics, models):
    metrics.request("late", "Predict", "GRPC", "NOT_FOUND", 0.001)
    models.append(Model("late", VersionStatus(1, State.AVAILABLE)))
    metrics.request("late", "Predict", "GRPC", "OK", 0.001)
    models.clear()
    metrics.request("late", "Predict", "GRPC", "NOT_FOUND", 0.001)
    assert lines(metrics, ":tensorflow:serving:request_count{") == [
        ':tensorflow:serving:request_count{model_name="late",status="NOT_FOUND"} 1',
        ':tensorflow:serving:request_count{model_name="late",status="OK"} 1',
        ':tensorflow:serving:request_count{model_name="unknown",status="NOT_FOUND"} 1',
    ]


def test_a_batch_tells_each_request_s_waiting_and_running_and_its_rows(used):
    for stage in ("queue", "run"):
        assert sample(used, f':tapeline:serving:stage_latency_count{{model_name="digits",stage="{stage}"}}') == 2
    assert sample(used, ':tapeline:serving:stage_latency_sum{model_name="digits",stage="queue"}') == pytest.approx(600)
    assert sample(used, ':tapeline:serving:stage_latency_sum{model_name="digits",stage="run"}') == pytest.approx(6000)
    assert sample(used, ':tapeline:serving:batch_rows_sum{model_name="digits"}') == 5
    assert sample(used, ':tapeline:serving:batch_padding_rows{model_name="digits"}') == 3
    assert sample(used, ":tensorflow:serving:batching_session:wrapped_run_count{}") == 1
    assert sample(used, ":tensorflow:core:graph_run_time_usecs{}") == 3000


def test_loads_of_a_version_are_counted_by_what_came_of_them(metrics, tmp_path):
    def corrupt(path):
        raise OSError(path)

    metrics.loading(lambda path: None)(tmp_path)
    with pytest.raises(OSError, match=str(tmp_path)):
        metrics.loading(corrupt)(tmp_path)
    for status in ("success", "fail"):
        assert sample(metrics, f':tensorflow:cc:saved_model:load_attempt_count{{model_path="{tmp_path}",status="{status}"}}') == 1
    assert len(lines(metrics, f':tensorflow:cc:saved_model:load_latency{{model_path="{tmp_path}"}}')) == 1


def test_a_warm_up_is_timed_only_where_there_is_a_file(metrics, tmp_path):
    warm_up = metrics.warming_up(lambda path, model: "warm-up request 1 is refused")
    assert warm_up(tmp_path, None) == "warm-up request 1 is refused"
    assert not lines(metrics, ":tensorflow:serving:model_warmup_latency_count")
    (tmp_path / WARMUP_FILE).parent.mkdir()
    (tmp_path / WARMUP_FILE).touch()
    warm_up(tmp_path, None)
    assert sample(metrics, f':tensorflow:serving:model_warmup_latency_count{{model_path="{tmp_path}",status="UNKNOWN"}}') == 1


def test_versions_that_are_not_at_their_end_are_told_with_their_state(metrics):
    assert lines(metrics, ":tapeline:serving:model_version{") == [
        ':tapeline:serving:model_version{model_name="digits",version="7",state="AVAILABLE"} 1'
    ]


def test_requests_in_flight_and_the_process_are_told(metrics):
    assert sample(metrics, ":tapeline:serving:in_flight_requests{}") == 3
    assert sample(metrics, "process_cpu_seconds_total{}") > 0
    if Path("/proc/self/statm").exists():
        assert sample(metrics, "process_resident_memory_bytes{}") > 1_000_000


def test_label_values_are_escaped(models):
    name = 'a"b\\c\nd'
    metrics = Metrics(lambda: [types.SimpleNamespace(name=name, statuses=list)])
    metrics.request(name, "Predict", "GRPC", "OK", 0.001)
    (counted,) = families(metrics)[":tensorflow:serving:request_count"].samples
    assert counted.labels["model_name"] == name


def test_nothing_is_lost_when_many_threads_count_at_once(metrics):
    def count():
        for _ in range(2000):
            metrics.request("digits", "Predict", "GRPC", "OK", 0.001)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sample(metrics, ':tensorflow:serving:request_count{model_name="digits",status="OK"}') == 16000
    assert sample(metrics, ':tensorflow:serving:request_latency_count{model_name="digits",API="Predict",entrypoint="GRPC"}') == 16000
