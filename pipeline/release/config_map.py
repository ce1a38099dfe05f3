"""The config in a ConfigMap of a cluster, which every pod has mounted: kubelet brings a change within about a minute.

The write is a patch under a field manager of its own: a later `kubectl apply --server-side` of the manifest is a conflict, not a silent
step back. It carries the resourceVersion that was read, so two releases at once cannot undo each other.
"""

import contextlib
import os
import shlex
from collections.abc import Iterator
from typing import Any

from pipeline.release.errors import ChangedError, ReleaseError
from pipeline.release.place import Snapshot
from trainer import json_text
from trainer.errors import ConfigError, did_you_mean

NAMESPACE, NAME, KEY = "tapeline-serving", "tapeline-models", "models.config"
FIELD_MANAGER = "tapeline-release"
_TIMEOUT = (10, 30)  # seconds to connect, and to be answered


class ConfigMap:
    """A `Place`. Raises ConfigError where no cluster is configured."""

    def __init__(self, namespace: str = NAMESPACE, name: str = NAME, context: str | None = None) -> None:
        self.name = f"ConfigMap {name} in {namespace}"
        given = {"--namespace": (namespace, NAMESPACE), "--configmap": (name, NAME), "--context": (context, None)}
        self.options = " ".join(f"{option} {shlex.quote(str(value))}" for option, (value, default) in given.items() if value != default)
        self._namespace, self._name = namespace, name
        self._api = _core_api(context)

    def read(self) -> Snapshot:
        """Raises ConfigError for a ConfigMap without the key, ReleaseError for what the API server refuses."""
        with self._refusals():
            found = self._api.read_namespaced_config_map(self._name, self._namespace, _request_timeout=_TIMEOUT)
        data = found.data or {}
        if KEY not in data:
            raise ConfigError(f"{self.name}: Expected the key '{KEY}'. Received: {', '.join(data) or 'no data'}.{did_you_mean(KEY, data)}")
        return Snapshot(data[KEY], found.metadata.resource_version)

    def write(self, text: str, after: Snapshot) -> Snapshot:
        """Raises ChangedError where the ConfigMap has another resourceVersion by now, ReleaseError for what the API server refuses."""
        body = {"metadata": {"resourceVersion": after.revision}, "data": {KEY: text}}
        with self._refusals():
            patched = self._api.patch_namespaced_config_map(
                self._name, self._namespace, body, field_manager=FIELD_MANAGER, _request_timeout=_TIMEOUT
            )
        return Snapshot(text, patched.metadata.resource_version)

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        try:
            yield
        except ApiException as error:
            raise self._refusal(error.status, _message(error)) from error
        except HTTPError as error:
            host = self._api.api_client.configuration.host
            raise ReleaseError(
                f"No API server answers at {host} ({type(error).__name__}). Nothing was changed by this request, as far as is known. "
                "Try `kubectl get namespaces`, or name another --context."
            ) from error

    def _refusal(self, status: int, message: str) -> Exception:
        """The error for an HTTP status; `message` is the API server's own."""
        if status == 404:
            return ReleaseError(
                f"Expected the {self.name} to be there. Received: {message}. Apply it (kubectl apply --server-side -k k8s/overlays/...), "
                "or name another --namespace, --configmap or --context."
            )
        if status == 403:
            return ReleaseError(
                f"Expected leave to get and patch the {self.name}. Received: {message}. k8s/base/role-release.yaml gives it; bind it to "
                "whoever releases."
            )
        if status == 401:
            return ReleaseError(
                f"Expected credentials that the cluster knows. Received: {message}. Log in again, or name another --context."
            )
        if status == 409:
            return ChangedError(f"{self.name} was changed by somebody else meanwhile")
        return ReleaseError(f"{self.name}: the API server answered {status}: {message}")


def _core_api(context: str | None) -> Any:
    try:
        from kubernetes import client
    except ImportError as error:
        raise ConfigError(
            "Expected the package `kubernetes`, to change a ConfigMap. Received: no such package. pip install 'tapeline[kubeflow]', or "
            "name a file: --model_config_file FILE."
        ) from error
    configuration = _configuration(context)
    configuration.retries = False  # urllib3 would print what it tries again; whoever called tries again
    return client.CoreV1Api(client.ApiClient(configuration))


def _configuration(context: str | None) -> Any:
    """From the kubeconfig; in a pod without one, the pod's own service account."""
    from kubernetes import client, config
    from yaml import YAMLError

    found = client.Configuration()
    try:
        if context is None and "KUBECONFIG" not in os.environ and "KUBERNETES_SERVICE_HOST" in os.environ:
            config.load_incluster_config(client_configuration=found)
        else:
            config.load_kube_config(context=context, client_configuration=found)
    except (config.ConfigException, YAMLError, OSError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise ConfigError(
            f"Expected a cluster in the kubeconfig, or --model_config_file FILE for a server on a file. Received: {reason}."
            f"{_nearest_context(context)}"
        ) from error
    return found


def _nearest_context(context: str | None) -> str:
    """Which contexts there are, where a wrong one was asked for."""
    from kubernetes import config

    if context is None:
        return ""
    try:
        names = [entry["name"] for entry in config.list_kube_config_contexts()[0]]
    except Exception:  # noqa: BLE001 - a broken kubeconfig has been told already; this only adds to it
        return ""
    return f" Contexts: {', '.join(names)}.{did_you_mean(context, names)}"


def _message(error: Any) -> str:
    """The API server's `Status.message`, or HTTP's reason."""
    try:
        return " ".join(json_text.loads(error.body)["message"].split()).rstrip(".")
    except (ValueError, KeyError, TypeError, AttributeError):
        return str(error.reason)
