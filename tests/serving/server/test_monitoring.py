"""Where the metrics are shown is as TensorFlow Serving's MonitoringConfig says, and a mistake in the file is said in one line."""

import pytest

from serving.errors import StartError
from serving.server.monitoring import DEFAULT_PATH, Monitoring, read_monitoring_config


@pytest.fixture
def read(tmp_path):
    def read_text(text):
        path = tmp_path / "monitoring.config"
        path.write_text(text)
        return read_monitoring_config(path)

    return read_text


def test_without_a_file_metrics_are_shown_where_tensorflow_serving_shows_them():
    assert Monitoring() == Monitoring(enable=True, path="/monitoring/prometheus/metrics")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("prometheus_config { enable: true }", Monitoring(enable=True, path=DEFAULT_PATH)),
        ('prometheus_config { enable: true, path: "/metrics" }', Monitoring(enable=True, path="/metrics")),
        ("prometheus_config { enable: false }", Monitoring(enable=False, path=DEFAULT_PATH)),
        ('prometheus_config { path: "/metrics" }', Monitoring(enable=False, path="/metrics")),
        ("", Monitoring(enable=False, path=DEFAULT_PATH)),
    ],
)
def test_a_file_says_whether_and_where(read, text, expected):
    assert read(text) == expected


@pytest.mark.parametrize("path", ["metrics", "/v1/metrics", "/V1/models/m", "/with space", "/metrics?x=1"])
def test_a_path_that_could_never_be_asked_for_is_refused(read, path):
    with pytest.raises(StartError, match=r"expected path to be a path outside /v1/ such as /monitoring/prometheus/metrics. Received: '"):
        read(f'prometheus_config {{ enable: true path: "{path}" }}')


def test_a_file_that_is_none_is_refused_in_one_line(read):
    with pytest.raises(StartError, match=r"is no MonitoringConfig \(.*prometheus_confg.*\); expected such as `prometheus_config") as caught:
        read("prometheus_confg { enable: true }")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(StartError, match=r"--monitoring_config_file .*none.config cannot be read: No such file or directory"):
        read_monitoring_config(tmp_path / "none.config")
