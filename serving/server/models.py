"""The set of models that are served, by name: leased to requests, polled for new versions, and replaced as a whole.

reload(config):  check it against what is served -> load what is new -> all of it available? then the new set takes the old one's place
                 refused or not available: the old set goes on as if nothing had been asked
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.errors import FailedPreconditionError, InvalidArgumentError, ServingError, error_for_code
from serving.server.model_config import ModelConfig, check_platforms, check_served_here, read_models
from serving.server.model_spec import ModelSpec
from serving.server.saved_model import SavedModel
from serving.server.served_model import Lease, Retries, ServedModel, no_status, not_found
from serving.server.version_status import Event, State, VersionStatus

_ONLY_LISTS = "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently supported"
_LOOK_AGAIN_SECONDS = 0.1  # for a new model that has no version yet


class _Entry(NamedTuple):
    config: ModelConfig
    model: ServedModel


class Models:
    """What is served. `patience`: how many seconds a reload waits for the first version of a new model."""

    def __init__(
        self,
        *,
        load: Callable[[Path], SavedModel] = SavedModel,
        warm_up: Callable[[Path, SavedModel], str] = lambda folder, model: "",
        report: Callable[[Event], None] = lambda event: None,
        retries: Retries = Retries(),  # noqa: B008 - it is frozen
        allow_version_labels_for_unavailable_models: bool = False,
        force_allow_any_version_labels_for_unavailable_models: bool = False,
        patience: float = 10.0,
    ) -> None:
        self._load, self._warm_up, self._report, self._retries = load, warm_up, report, retries
        self._labels_may_wait = allow_version_labels_for_unavailable_models
        self._labels_may_move = force_allow_any_version_labels_for_unavailable_models
        self._patience = patience
        self._reloading = threading.Lock()
        self._set: dict[str, _Entry] = {}
        self._arriving: dict[str, _Entry] = {}
        self._gone: dict[str, _Entry] = {}  # GetModelStatus goes on telling that their versions are at their end

    def lease(self, spec: ModelSpec) -> Lease:
        """A context manager that gives (version, model), held until the request is answered. Raises ServingError."""
        if not spec.name:
            raise InvalidArgumentError("ModelSpec has no name specified.")
        entry = self._set.get(spec.name)
        if entry is None:
            raise not_found(spec.name, _version(spec, entry))
        return entry.model.lease(_version(spec, entry))

    def statuses(self, spec: ModelSpec) -> list[VersionStatus]:
        """Of the versions of a model that is served, is being loaded or was served, newest first. Raises ServingError."""
        entry = self._set.get(spec.name) or self._arriving.get(spec.name) or self._gone.get(spec.name)
        version = _version(spec, entry)
        if entry is None:
            raise no_status(spec.name, version)
        return entry.model.statuses(version)

    def served(self) -> list[ServedModel]:
        """The models of the set, in the order of the config."""
        return [entry.model for entry in self._set.values()]

    def poll(self) -> None:
        """One look at every model's base path."""
        for model in self.served():
            model.poll()

    def start(self, config: ModelServerConfig) -> None:
        """The first set; `poll` finds out which of its models have versions yet. Raises the ServingError of what is refused."""
        with self._reloading:
            self._set = {name: self._make(model) for name, model in self._check(config).items()}

    def reload(self, config: ModelServerConfig, patience: float | None = None) -> None:
        """Replaces the set, and returns once every new model is available. Raises ServingError, and then the old set keeps serving."""
        if not config.HasField("model_config_list"):
            raise InvalidArgumentError(_ONLY_LISTS)
        with self._reloading:
            configs = self._check(config)
            new_set = {name: self._kept(model) or self._make(model) for name, model in configs.items()}
            self._arriving = {name: entry for name, entry in new_set.items() if not self._kept(entry.config)}
            awaited = [*self._arriving.values(), *(entry for entry in new_set.values() if entry.config.policy not in entry.model.policies)]
            try:
                self._await(awaited, self._patience if patience is None else patience)
            except ServingError:
                self._undo(awaited)
                raise
            self._replace(new_set, awaited)

    def _check(self, config: ModelServerConfig) -> dict[str, ModelConfig]:
        """The models of the config. Raises ServingError for what is refused, first things first as tensorflow_model_server has them."""
        configs = read_models(config)
        check_platforms({name: entry.config for name, entry in self._set.items()}, configs)
        for model in configs.values():
            for label, version in model.version_labels.items():
                self._check_label(model.name, label, version)
        check_served_here(configs.values())
        return configs

    def _check_label(self, name: str, label: str, version: int) -> None:
        """A label points at an available version; where that is allowed also at one that is to come, unless it would move there."""
        entry = self._set.get(name)
        before = entry.config.version_labels.get(label, version) if entry else version
        if self._labels_may_move or (self._labels_may_wait and before == version):
            return
        if entry is None or not entry.model.serves(version):
            raise FailedPreconditionError(
                f"Request to assign label to version {version} of model {name}, which is not currently available for inference"
            )

    def _kept(self, config: ModelConfig) -> _Entry | None:
        """The model goes on when its folder stays: then only its policy and its labels may change."""
        entry = self._set.get(config.name)
        return _Entry(config, entry.model) if entry and entry.model.base_path == config.base_path else None

    def _make(self, config: ModelConfig) -> _Entry:
        options = {"load": self._load, "warm_up": self._warm_up, "report": self._tell, "retries": self._retries}
        return _Entry(config, ServedModel(config.name, config.base_path, config.policy, **options))

    def _tell(self, event: Event) -> None:
        """Of a model that is arriving no failure is told: whoever asked for the reload gets it as the answer."""
        if event.kind != "failed" or event.model not in self._arriving:
            self._report(event)

    def _await(self, awaited: Sequence[_Entry], patience: float) -> None:
        """Raises ServingError when one of them cannot be loaded, or has no version in time."""
        end = time.monotonic() + patience
        for config, model in awaited:
            model.policies = (*model.policies, config.policy)
        while missing := [entry for entry in awaited if not _is_available(entry)]:
            reasons = [_why_not(entry) for entry in missing]
            if time.monotonic() >= end or any(failed for failed, _ in reasons):
                listed = "".join(f"{{{reason}}}, " for _, reason in reasons)
                raise error_for_code("UNKNOWN", f"{len(missing)} model(s) did not become available: {{{listed}}}")
            time.sleep(_LOOK_AGAIN_SECONDS)

    def _undo(self, awaited: Iterable[_Entry]) -> None:
        for name, entry in self._arriving.items():
            entry.model.close()
            self._gone[name] = entry
        self._arriving = {}
        for _, model in awaited:
            model.policies = model.policies[:1]
            model.poll()

    def _replace(self, new_set: dict[str, _Entry], awaited: Iterable[_Entry]) -> None:
        old_set, self._set = self._set, new_set
        self._arriving = {}
        for config, model in awaited:
            model.policies = (config.policy,)
            model.poll()
        for name, entry in old_set.items():
            if name not in new_set or new_set[name].model is not entry.model:
                entry.model.close()
                self._gone[name] = entry


def _version(spec: ModelSpec, entry: _Entry | None) -> int | None:
    if not spec.version_label:
        return spec.version
    if entry is None or spec.version_label not in entry.config.version_labels:
        raise InvalidArgumentError(f"Unrecognized servable version label: {spec.version_label}")
    return entry.config.version_labels[spec.version_label]


def _is_available(entry: _Entry) -> bool:
    entry.model.poll()
    return any(status.state == State.AVAILABLE for status in entry.model.wanted(entry.config.policy))


def _why_not(entry: _Entry) -> tuple[bool, str]:
    """Whether it failed, and what to say of it."""
    name = entry.config.name
    for status in entry.model.wanted(entry.config.policy):
        if status.error_message:
            return True, f"{{name: {name} version: {status.version}}} due to error: {status.error_code}: {status.error_message}"
    return False, f"{{name: {name}}} due to error: NOT_FOUND: Unable to find a version to serve at: {entry.config.base_path}"
