"""Where the metrics are read: `--monitoring_config_file`, a MonitoringConfig text file as tensorflow_model_server reads it.

Imports neither TensorFlow nor gRPC, so that a mistake is said at once.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from serving.errors import StartError
from serving.server import text_file
from serving.server.server_config_pb2 import MonitoringConfig

DEFAULT_PATH = "/monitoring/prometheus/metrics"
_PATH = re.compile(r"/[!-~]*")
_EXAMPLE = f'prometheus_config {{ enable: true path: "{DEFAULT_PATH}" }}'


@dataclass(frozen=True)
class Monitoring:
    """Whether the REST port shows metrics, and below which path. Without a file it does: the port is this machine's own by default."""

    enable: bool = True
    path: str = DEFAULT_PATH


def read_monitoring_config(path: Path) -> Monitoring:
    """What the file says; as in TensorFlow Serving nothing is shown unless it says `enable: true`. Raises StartError."""
    config = text_file.read("--monitoring_config_file", path, MonitoringConfig(), _EXAMPLE).prometheus_config
    metrics_path = config.path or DEFAULT_PATH
    if not _PATH.fullmatch(metrics_path) or metrics_path.lower().startswith("/v1/") or "?" in metrics_path:
        raise StartError(
            f"--monitoring_config_file {path}: expected path to be a path outside /v1/ such as {DEFAULT_PATH}. Received: {config.path!r}"
        )
    return Monitoring(config.enable, metrics_path)
