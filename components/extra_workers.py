"""The workers that the Trainer's step starts on Kubernetes for `trainer.workers`, while it is their chief itself.

arguments into a file beside the outputs -> a JobSet of the other workers -> TF_CONFIG of the chief -> train -> no JobSet any more
"""

import contextlib
import json
import logging
import os
import signal
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import attr
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.dsl.io import fileio
from tfx.utils import io_utils

from components import worker_jobset
from trainer import cluster, json_text
from trainer.errors import ConfigError, TrainingError

POD_VARIABLE = "KFP_POD_NAME"  # KFP gives it to a step's pod
_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_POD_LOCAL = ("/minio/", "/s3/")  # KFP's copies, which no other pod sees
_TIMEOUT = (10, 30)  # seconds to connect, and to be answered
_PAUSE = 2.0  # seconds between two looks at the JobSet

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def beside(workers: int, run_fn: str, fn_args: FnArgs) -> Iterator[None]:
    """Inside, this process is the chief of `workers` workers, and the others run in pods of their own.

    Does nothing for one worker, and where TF_CONFIG says who trains: then somebody else has started the others.

    Raises:
      ConfigError: this is no step's pod on Kubernetes, or the cluster does not let it start workers.
      TrainingError: a worker has failed, or the API server does not answer.
    """
    if workers == 1 or cluster.VARIABLE in os.environ:
        yield
        return
    kubernetes = _Kubernetes()
    if fn_args.model_run_dir.startswith(_POD_LOCAL):
        raise ConfigError(
            f"Expected a pipeline root that every worker reads, on gs://, for `trainer.workers: {workers}`. Received: outputs in "
            f"{fn_args.model_run_dir}, a copy in this pod. Set `kubeflow.pipeline_root` to a bucket of Cloud Storage."
        )
    chief = kubernetes.own_pod()
    name = f"tapeline-{uuid.uuid4().hex[:12]}"
    file = f"{fn_args.model_run_dir}/fn_args.json"
    fileio.makedirs(fn_args.model_run_dir)
    io_utils.write_string_file(file, json.dumps({"run_fn": run_fn, "fn_args": _plain(fn_args)}))
    try:
        kubernetes.create(worker_jobset.filled(name, workers - 1, chief, file))
        _log.info("JobSet %s has the other %d of %d workers.", name, workers - 1, workers)
        os.environ[cluster.VARIABLE] = worker_jobset.chiefs_config(name, workers - 1, chief)
        with _Watch(kubernetes, name):
            yield
    finally:
        os.environ.pop(cluster.VARIABLE, None)
        kubernetes.delete(name)
        with contextlib.suppress(fileio.NotFoundError):
            fileio.remove(file)


def _plain(fn_args: FnArgs) -> dict[str, Any]:
    """All but the functions that read the examples, which are made anew where they are wanted."""
    return attr.asdict(fn_args, filter=lambda attribute, _: attribute.name != "data_accessor")


class _Kubernetes:
    """The API server, asked as this pod's own account; as the kubeconfig says where KUBECONFIG names one.

    Raises:
      ConfigError: this is no pod of Kubeflow Pipelines.
    """

    def __init__(self) -> None:
        if POD_VARIABLE not in os.environ:
            raise ConfigError(
                "Expected a step of Kubeflow Pipelines on Kubernetes, which starts the other workers, for `trainer.workers` above 1. "
                f"Received: another machine, and no {cluster.VARIABLE}. Set `{cluster.VARIABLE}` on each machine and start the workers "
                "there (docs/configuration.md, Several machines), or set `trainer.strategy: auto` and leave `trainer.workers` out."
            )
        from kubernetes import client, config

        configuration = client.Configuration()
        try:
            if "KUBECONFIG" in os.environ:
                config.load_kube_config(client_configuration=configuration)
                self._namespace = config.list_kube_config_contexts()[1]["context"].get("namespace", "default")
            else:
                config.load_incluster_config(client_configuration=configuration)
                self._namespace = _NAMESPACE_FILE.read_text(encoding="utf-8").strip()
        except (config.ConfigException, OSError) as error:
            raise ConfigError(
                f"Expected the token of the pod's service account, to start the other workers. Received: {error}. "
                "Run the pipeline as an account whose token is mounted (k8s/base/serviceaccount-pipeline.yaml)."
            ) from None
        configuration.retries = False  # urllib3 would print what it tries again
        api = client.ApiClient(configuration)
        self._pods, self._jobsets = client.CoreV1Api(api), client.CustomObjectsApi(api)
        self._where = (worker_jobset.GROUP, worker_jobset.VERSION, self._namespace, worker_jobset.PLURAL)

    def own_pod(self) -> dict[str, Any]:
        """This step's pod."""
        with self._refusals():
            name = os.environ[POD_VARIABLE]
            found = self._pods.read_namespaced_pod(name, self._namespace, _preload_content=False, _request_timeout=_TIMEOUT)
            return json_text.loads(found.data.decode())

    def create(self, jobset: dict[str, Any]) -> None:
        """Creates it."""
        with self._refusals():
            self._jobsets.create_namespaced_custom_object(*self._where, jobset, _request_timeout=_TIMEOUT)

    def read(self, name: str) -> dict[str, Any]:
        """The JobSet with its status."""
        with self._refusals():
            return self._jobsets.get_namespaced_custom_object(*self._where, name, _request_timeout=_TIMEOUT)

    def delete(self, name: str) -> None:
        """Deletes it with its pods, where it is there; that it cannot is only logged, for it goes by itself later."""
        from kubernetes.client import ApiException

        try:
            with self._refusals():
                self._jobsets.delete_namespaced_custom_object(
                    *self._where, name, propagation_policy="Background", _request_timeout=_TIMEOUT
                )
        except (ConfigError, TrainingError) as error:
            cause = error.__cause__
            if not (isinstance(cause, ApiException) and cause.status == 404):
                _log.warning("The JobSet %s is left, until its time is over: %s", name, error)

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        try:
            yield
        except ApiException as error:
            said = f"Received: {error.status} {_message(error)}."
            if error.status == 403:
                raise ConfigError(
                    "Expected leave to read the own pod and to create, get and delete JobSets, for `trainer.workers` above 1. "
                    f"{said} Apply k8s/base/role-workers.yaml, and bind it to the account that the steps run as."
                ) from error
            if error.status == 404:
                raise ConfigError(
                    f"Expected a cluster that knows JobSets ({worker_jobset.GROUP}/{worker_jobset.VERSION}), for `trainer.workers` above "
                    f"1. {said} Install JobSet (k8s/README.md), or leave `trainer.workers` out."
                ) from error
            raise TrainingError(f"Expected the API server to start the other workers. {said} Run the pipeline again.") from error
        except HTTPError as error:
            raise TrainingError(
                f"Expected an answer of the API server, to start the other workers. Received: {type(error).__name__}. "
                "Run the pipeline again."
            ) from error


class _Watch:
    """Inside, a JobSet that fails ends what the main thread does, by a TrainingError.

    That is for a worker that fails before it has met the chief, who would wait. One that is lost later TensorFlow notices, mostly sooner.
    """

    def __init__(self, kubernetes: _Kubernetes, name: str) -> None:
        self._kubernetes, self._name = kubernetes, name
        self._over, self._lock = threading.Event(), threading.Lock()
        self._failure = ""
        self._before: Any = None

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGUSR1, self._raise)
        threading.Thread(target=self._look, name="workers", daemon=True).start()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._over.set()
        signal.signal(signal.SIGUSR1, self._before)

    def _look(self) -> None:
        while not self._over.wait(_PAUSE):
            with contextlib.suppress(ConfigError, TrainingError):  # no answer now is no failure of a worker's
                self._failure = worker_jobset.failure(self._kubernetes.read(self._name)) or ""
            if self._failure:
                with self._lock:
                    if not self._over.is_set():
                        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)  # it may wait in a system call
                return

    def _raise(self, _: int, __: FrameType | None) -> None:
        if not self._over.is_set():
            self._over.set()
            raise TrainingError(
                f"Expected all workers of the JobSet {self._name} to train. Received: {self._failure}. "
                "The log of its pod, which the cluster's logging keeps, says why. Run the pipeline again."
            )


def _message(error: Any) -> str:
    """The API server's `Status.message`, or HTTP's reason."""
    try:
        return " ".join(json_text.loads(error.body)["message"].split()).rstrip(".")
    except (ValueError, KeyError, TypeError, AttributeError):
        return str(error.reason)
