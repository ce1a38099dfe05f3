"""Prometheus metrics over REST, with TensorFlow Serving's names."""

import pytest

from tests.serving.conformance.target import predict_request

_PATH = "/monitoring/prometheus/metrics"


@pytest.fixture
def metrics(target):
    target.predict(predict_request("half_plus_two", {"x": [1.0]}))
    answer = target.get(_PATH)
    assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, "text/plain")
    return answer.text


def test_requests_are_counted_by_model_and_status(metrics):
    (line,) = (
        line
        for line in metrics.splitlines()
        if line.startswith(':tensorflow:serving:request_count{model_name="half_plus_two"') and '"OK"' in line
    )
    assert float(line.rpartition(" ")[2]) >= 1
    assert "# TYPE :tensorflow:serving:request_count counter" in metrics


def test_latencies_are_histograms(metrics):
    assert "# TYPE :tensorflow:serving:request_latency histogram" in metrics
    assert ':tensorflow:serving:request_latency_bucket{model_name="half_plus_two"' in metrics
    assert 'le="+Inf"' in metrics
    assert ":tensorflow:serving:request_latency_sum{" in metrics
    assert ":tensorflow:serving:request_latency_count{" in metrics


def test_the_runtime_is_measured_apart(metrics):
    assert "# TYPE :tensorflow:serving:runtime_latency histogram" in metrics
