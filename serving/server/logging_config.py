"""`logging_config` of a model in a ModelServerConfig: which of its requests are logged, and where to."""

from collections.abc import Mapping
from pathlib import Path

from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

from serving.errors import InvalidArgumentError
from serving.server.request_log import Sampling

TYPES = ("", "tfrecord")
_EXAMPLE = (
    'logging_config { sampling_config { sampling_rate: 0.1 } log_collector_config { type: "tfrecord" filename_prefix: "/logs/digits" } }'
)


def read_logging_configs(config: ModelServerConfig, folder: Path | None) -> Mapping[str, Sampling]:
    """The models that have one. A prefix that is not absolute is below `folder`, the server's own; none at all is the model's name there.

    Raises InvalidArgumentError.
    """
    return {model.name: _sampling(model, folder) for model in config.model_config_list.config if model.HasField("logging_config")}


def _sampling(model: ModelConfig, folder: Path | None) -> Sampling:
    rate = model.logging_config.sampling_config.sampling_rate
    collector = model.logging_config.log_collector_config
    if not 0 <= rate <= 1:
        raise InvalidArgumentError(f"Expected sampling_rate of model {model.name} to be from 0 to 1. Received: {rate:g}")
    if collector.type not in TYPES:
        raise InvalidArgumentError(
            f"Expected log_collector_config.type of model {model.name} to be 'tfrecord', or none. Received: {collector.type!r}"
        )
    prefix = Path(collector.filename_prefix or model.name)
    if prefix.is_absolute():
        return Sampling(rate, prefix)
    if folder is None:
        raise InvalidArgumentError(
            f"Expected filename_prefix of model {model.name} to be an absolute path, because there is no --request_log_dir. "
            f"Received: {collector.filename_prefix!r}; expected such as {_EXAMPLE}"
        )
    return Sampling(rate, folder.absolute() / prefix)
