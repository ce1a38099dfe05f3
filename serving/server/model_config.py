"""Which models are to be served, from where and in which versions: a ModelServerConfig as text or message -> values, or why it is refused.

What is refused, in which order and with which words is tensorflow_model_server's. Imports neither TensorFlow nor gRPC.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tensorflow_serving.config.model_server_config_pb2 import ModelConfig as ModelConfigMessage
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.errors import InvalidArgumentError, StartError
from serving.server import text_file

PLATFORM = "tensorflow"
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_UNLOADABLE_SIGNS = "[\\"  # TensorFlow looks for a model's variables by a pattern, and has no way to quote
_TENSORFLOW_MODEL_TYPE = 1  # ModelType.TENSORFLOW, deprecated in favour of the platform
_EXAMPLE = 'model_config_list { config { name: "digits" base_path: "/models/digits" model_platform: "tensorflow" } }'


@dataclass(frozen=True)
class VersionPolicy:
    """Which of the versions that are there are served: the `latest` so many, `all`, or the `specific` ones."""

    kind: str = "latest"
    num_versions: int = 1
    versions: frozenset[int] = frozenset()

    def wanted(self, there: Collection[int]) -> set[int]:
        """The versions to serve."""
        if self.kind == "latest":
            return set(sorted(there, reverse=True)[: self.num_versions])
        return set(there) if self.kind == "all" else self.versions & set(there)


@dataclass(frozen=True)
class ModelConfig:
    """One model of the set: its version folders are below `base_path`, and each label stands for one version."""

    name: str
    base_path: Path
    platform: str = PLATFORM
    policy: VersionPolicy = VersionPolicy()
    version_labels: Mapping[str, int] = field(default_factory=dict)


def single_model(name: str, base_path: Path) -> ModelServerConfig:
    """The config of `--model_name` and `--model_base_path`."""
    config = ModelServerConfig()
    config.model_config_list.config.add(name=name, base_path=str(base_path), model_platform=PLATFORM)
    return config


def read_config_file(path: Path) -> ModelServerConfig:
    """The text file of `--model_config_file`. Raises StartError in one line."""
    return text_file.read("--model_config_file", path, ModelServerConfig(), _EXAMPLE)


def read_first_config(path: Path, *, labels_allowed: bool) -> ModelServerConfig:
    """The file that the server starts with, checked as far as that goes before anything is loaded. Raises StartError in one line."""
    config = read_config_file(path)
    try:
        models = read_models(config)
        check_served_here(models.values())
    except InvalidArgumentError as error:
        raise StartError(f"--model_config_file {path}: {error}") from error
    for model in models.values():
        if model.version_labels and not labels_allowed:
            raise StartError(
                f"Request to assign label to version {min(model.version_labels.values())} of model {model.name}, which is not currently "
                "available for inference; to start with labels set --allow_version_labels_for_unavailable_models"
            )
    return config


def read_models(config: ModelServerConfig) -> dict[str, ModelConfig]:
    """Models by name. Raises InvalidArgumentError for what no server could serve: a name twice, a path that is not absolute."""
    if config.WhichOneof("config") == "custom_model_config":
        raise InvalidArgumentError("ModelServer does not yet support custom model config. Expected a model_config_list.")
    entries = config.model_config_list.config
    _check_names([entry.name for entry in entries])
    return {entry.name: _model(entry) for entry in entries}


def check_platforms(old: Mapping[str, ModelConfig], new: Mapping[str, ModelConfig]) -> None:
    """Raises InvalidArgumentError when a model that is served already would change its platform."""
    for name in [name for name in new if name in old and new[name].platform != old[name].platform]:
        raise InvalidArgumentError(
            f"Illegal to change a model's platform. For model {name} platform was {old[name].platform} "
            f"and new platform requested is {new[name].platform}"
        )


def check_served_here(models: Iterable[ModelConfig]) -> None:
    """Raises InvalidArgumentError for a platform other than `tensorflow`, and for paths that cannot be loaded here."""
    for model in models:
        if model.platform != PLATFORM:
            raise InvalidArgumentError(f"Model {model.name} requests unsupported platform {model.platform}")
        if _URI.match(str(model.base_path)):
            raise InvalidArgumentError(f"Expected model {model.name} to have a folder of this machine as base_path; got {model.base_path}")
        sign = next((sign for sign in str(model.base_path) if sign in _UNLOADABLE_SIGNS), None)
        if sign is not None:
            raise InvalidArgumentError(
                f"Expected model {model.name} to have a base_path without {' '.join(_UNLOADABLE_SIGNS)}, "
                f"which TensorFlow takes for patterns; got {model.base_path}, with '{sign}'. Rename the folder"
            )


def _check_names(names: list[str]) -> None:
    for position, name in enumerate(names):
        if name in names[:position]:
            raise InvalidArgumentError(f"Illegal to list model {name} multiple times in config list")
        if not name:
            raise InvalidArgumentError(f"Expected every model in the config list to have a name; number {position + 1} has none")


def _model(entry: ModelConfigMessage) -> ModelConfig:
    base_path = _base_path(entry)
    return ModelConfig(entry.name, base_path, _platform(entry), _policy(entry.model_version_policy), dict(entry.version_labels))


def _base_path(entry: ModelConfigMessage) -> Path | str:
    """An absolute folder; a URI stays text, because Path would take `gs://bucket` for `gs:/bucket`."""
    text = entry.base_path.removeprefix("file://")
    if _URI.match(text):
        return text
    if not text.startswith("/"):
        raise InvalidArgumentError(f"Expected model {entry.name} to have an absolute path or URI; got base_path()={entry.base_path}")
    return Path(text)


def _platform(entry: ModelConfigMessage) -> str:
    if not entry.model_type:
        if not entry.model_platform:
            raise InvalidArgumentError(
                "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform."
            )
        return entry.model_platform
    if entry.model_platform:
        raise InvalidArgumentError("Illegal setting both ModelServerConfig::model_type (deprecated) and ModelServerConfig::model_platform.")
    if entry.model_type != _TENSORFLOW_MODEL_TYPE:
        raise InvalidArgumentError(f"ModelServerConfig::model_type choice {entry.model_type} not supported.")
    return PLATFORM


def _policy(message: "ModelConfigMessage.model_version_policy") -> VersionPolicy:
    kind = message.WhichOneof("policy_choice") or "latest"
    return VersionPolicy(kind, max(message.latest.num_versions, 1), frozenset(message.specific.versions))
