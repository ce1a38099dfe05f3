"""Asks Kubeflow Pipelines through kfp_server_api, the client that is generated of its API, and turns what goes wrong into one line.

It is imported when a client is made, which takes a second: a wrong option must be told at once.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipeline.kubeflow.connection import Connection, token_source
from trainer import json_text
from trainer.errors import ConfigError, TapelineError

_TIMEOUT_SECONDS = (10.0, 60.0)  # to connect, and for each piece of an answer; the default is to wait for ever
_UI_VARIABLE = "KF_PIPELINES_UI_ENDPOINT"  # KFP's own
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_EQUALS = 1  # KFP's number of that operation in a filter
_LONGEST = 600


class ClusterError(TapelineError):
    """KFP cannot be reached, fails, or does not let us.

    Attributes:
      is_transient: the same question may be answered later.
      status: HTTP's, None where there was no answer.
    """

    def __init__(self, message: str, is_transient: bool = False, status: int | None = None) -> None:
        super().__init__(message)
        self.is_transient = is_transient
        self.status = status


class RefusedError(ConfigError):
    """KFP does not take what it was given, or does not know what it was asked for."""


class KubeflowClient:
    """One KFP. Every method raises ClusterError and RefusedError."""

    def __init__(self, connection: Connection) -> None:
        import kfp_server_api as api

        self.connection = connection
        self._client = api.ApiClient(_configuration(connection))
        self._pipelines, self._uploads = api.PipelineServiceApi(self._client), api.PipelineUploadServiceApi(self._client)
        self._experiments, self._runs = api.ExperimentServiceApi(self._client), api.RunServiceApi(self._client)
        self._recurring_runs = api.RecurringRunServiceApi(self._client)
        # urllib3 tells each retry on stderr; what comes of them is told here. Afterwards, since kfp_server_api sets a level too.
        logging.getLogger("urllib3").setLevel(logging.ERROR)

    def url(self, run: str) -> str:
        """The run's page, where the user interface and the API have one address, or KF_PIPELINES_UI_ENDPOINT names it."""
        page = os.environ.get(_UI_VARIABLE) or self.connection.host
        return f"{page if '://' in page else f'http://{page}'}/#/runs/details/{run}"

    def pipeline(self, name: str) -> str | None:
        """The ID of the namespace's pipeline of that name."""
        list_pipelines = self._pipelines.pipeline_service_list_pipelines_with_http_info
        found = self._ask(list_pipelines, filter=_named(name), namespace=self.connection.namespace).pipelines
        return next((one.pipeline_id for one in found or [] if one.display_name == name), None)

    def upload_pipeline(self, file: Path, name: str) -> str:
        """Creates a pipeline with the package as its first version, and returns its ID."""
        upload = self._uploads.upload_pipeline_with_http_info
        return self._ask(upload, str(file), name=name, namespace=self.connection.namespace).pipeline_id

    def version(self, pipeline: str, name: str) -> str | None:
        """The ID of the pipeline's version of that name."""
        list_versions = self._pipelines.pipeline_service_list_pipeline_versions_with_http_info
        found = self._ask(list_versions, pipeline, filter=_named(name)).pipeline_versions
        return next((one.pipeline_version_id for one in found or [] if one.display_name == name), None)

    def upload_version(self, file: Path, pipeline: str, name: str) -> str:
        """Adds a version to the pipeline, and returns its ID."""
        upload = self._uploads.upload_pipeline_version_with_http_info
        return self._ask(upload, str(file), name=name, pipelineid=pipeline).pipeline_version_id

    def spec(self, pipeline: str, version: str) -> dict[str, Any]:
        """The PipelineSpec of a version."""
        get = self._pipelines.pipeline_service_get_pipeline_version_with_http_info
        found = self._ask(get, pipeline, version).pipeline_spec or {}
        return found.get("pipeline_spec", found)

    def experiment(self, name: str) -> str | None:
        """The ID of the namespace's experiment of that name."""
        list_experiments = self._experiments.experiment_service_list_experiments_with_http_info
        found = self._ask(list_experiments, filter=_named(name), namespace=self.connection.namespace).experiments
        return next((one.experiment_id for one in found or [] if one.display_name == name), None)

    def create_experiment(self, name: str) -> str:
        """The ID of the experiment of that name, made if it is not there."""
        from kfp_server_api import V2beta1Experiment

        create = self._experiments.experiment_service_create_experiment_with_http_info
        new = V2beta1Experiment(display_name=name, namespace=self.connection.namespace)
        return self.experiment(name) or self._ask(create, new).experiment_id

    def create_run(self, *, experiment_id: str, job_name: str, service_account: str | None, **what: Any) -> Any:
        """Starts a run: V2beta1Run. `what` are the arguments of `_version_and_parameters`."""
        from kfp_server_api import V2beta1Run

        version = _version_and_parameters(**what)
        run = V2beta1Run(experiment_id=experiment_id, display_name=job_name, service_account=service_account, **version)
        return self._ask(self._runs.run_service_create_run_with_http_info, run)

    def run(self, run: str) -> Any:
        """V2beta1Run."""
        return self._ask(self._runs.run_service_get_run_with_http_info, run)

    def last_run(self, experiment: str | None) -> Any:
        """The newest run of the experiment, or of the namespace; None where there is none."""
        newest = {"page_size": 1, "sort_by": "created_at desc"}
        found = self._ask(self._runs.run_service_list_runs_with_http_info, **self._place(experiment), **newest).runs
        return found[0] if found else None

    def terminate(self, run: str) -> None:
        """Ends a run; what its steps have done stays."""
        self._ask(self._runs.run_service_terminate_run_with_http_info, run)

    def recurring_runs(self, experiment: str | None, name: str) -> list[Any]:
        """The recurring runs of that name, of the experiment or of the namespace: V2beta1RecurringRun."""
        list_all = self._recurring_runs.recurring_run_service_list_recurring_runs_with_http_info
        found = self._ask(list_all, filter=_named(name), page_size=100, **self._place(experiment)).recurring_runs
        return [one for one in found or [] if one.display_name == name]

    def create_recurring_run(
        self,
        *,
        experiment_id: str,
        job_name: str,
        service_account: str | None,
        cron: str,
        max_concurrency: int,
        no_catchup: bool,
        enabled: bool,
        **what: Any,
    ) -> str:
        """Adds a recurring run and returns its ID. `what` are the arguments of `_version_and_parameters`."""
        from kfp_server_api import RecurringRunMode, V2beta1CronSchedule, V2beta1RecurringRun, V2beta1Trigger

        recurring_run = V2beta1RecurringRun(
            experiment_id=experiment_id,
            display_name=job_name,
            service_account=service_account,
            mode=RecurringRunMode.ENABLE if enabled else RecurringRunMode.DISABLE,
            trigger=V2beta1Trigger(cron_schedule=V2beta1CronSchedule(cron=cron)),
            max_concurrency=max_concurrency,
            no_catchup=no_catchup,
            **_version_and_parameters(**what),
        )
        create = self._recurring_runs.recurring_run_service_create_recurring_run_with_http_info
        return self._ask(create, recurring_run).recurring_run_id

    def enable(self, recurring_run: str) -> None:
        """Lets a recurring run start runs."""
        self._ask(self._recurring_runs.recurring_run_service_enable_recurring_run_with_http_info, recurring_run)

    def disable(self, recurring_run: str) -> None:
        """Keeps a recurring run from starting more runs."""
        self._ask(self._recurring_runs.recurring_run_service_disable_recurring_run_with_http_info, recurring_run)

    def delete(self, recurring_run: str) -> None:
        """Removes a recurring run; the runs that it has started stay."""
        self._ask(self._recurring_runs.recurring_run_service_delete_recurring_run_with_http_info, recurring_run)

    def log(self, run: str, pods: Sequence[str]) -> str:
        """The log of the first of those pods that has one. Raises ClusterError where none has."""
        failure: TapelineError = ClusterError("there is none")
        for pod in pods:
            try:
                text = self._answer(self._read_log, run, pod)
            except (ClusterError, RefusedError) as error:
                failure = error
                continue
            if text.strip():
                return text
        # 500 is how KFP says that it has none.
        is_transient = isinstance(failure, ClusterError) and failure.is_transient and failure.status != 500
        raise ClusterError(str(failure), is_transient)

    def _read_log(self, run: str, pod: str) -> str:
        """v2beta1 has no path for logs; that of v1alpha1 is still there, and no part of the generated client."""
        answer = self._client.call_api(
            "/apis/v1alpha1/runs/{run}/nodes/{node}/log", "GET", {"run": run, "node": pod}, [], {}, auth_settings=["Bearer"],
            _preload_content=False, _request_timeout=_TIMEOUT_SECONDS,
        )  # fmt: skip
        if "text/html" in (answer.headers.get("content-type") or ""):
            raise ClusterError("the server has no such path")
        return answer.data.decode(errors="replace")

    def _place(self, experiment: str | None) -> dict[str, str | None]:
        """Where to look: in the experiment, else in the namespace."""
        return {"experiment_id": experiment} if experiment is not None else {"namespace": self.connection.namespace}

    def _ask(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """What a `..._with_http_info` returns, which must have come as JSON: an empty object would be made of a login page."""
        answer, _, headers = self._answer(function, *arguments, **named, _request_timeout=_TIMEOUT_SECONDS)
        kind = headers.get("content-type", "")
        if "json" not in kind:
            raise ClusterError(
                f"Expected KFP's API at {self.connection.host}. Received: a page ({kind or 'of no type'}). It may be a login in front of "
                f"it, which {self.connection.who} did not pass, or another program."
            )
        return answer

    def _answer(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        import kfp_server_api
        import urllib3

        try:
            return function(*arguments, **named)
        except kfp_server_api.ApiException as error:
            raise self._failure(error.status, error.body, str(error.reason)) from None
        except urllib3.exceptions.HTTPError as error:
            raise ClusterError(
                f"Expected Kubeflow Pipelines at {self.connection.host}. Received: {_cause(error)}. Is --host right, and can it be "
                "reached from here?",
                is_transient=True,
            ) from None

    def _failure(self, status: int | None, body: Any, reason: str) -> TapelineError:
        text = _kfp_text(body) or reason
        where = f"Kubeflow Pipelines at {self.connection.host}"
        if status in (401, 403):
            hint = " Give --token-file or --gke-identity." if self.connection.is_nobody else ""
            return ClusterError(f"{where} did not let us in with {self.connection.who} ({status}): {text}.{hint}", status=status)
        if status in (400, 404):
            return RefusedError(f"{where} refused this ({status}): {text}.")
        return ClusterError(f"{where} failed ({status or 'no answer'}): {text}.", status in _TRANSIENT, status)


def patiently(question: Callable[[], Any], first_pause: float, patience: float) -> Any:
    """Asks until there is an answer: pauses grow up to a minute, and after `patience` seconds of transient errors it gives up."""
    begun, pause = time.monotonic(), first_pause
    while True:
        try:
            return question()
        except ClusterError as error:
            if not error.is_transient or time.monotonic() - begun + pause > patience:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 60.0)


def _configuration(connection: Connection) -> Any:
    import kfp_server_api
    import urllib3

    configuration = kfp_server_api.Configuration(host=connection.host)
    # The certificates that every other part of the project honours.
    configuration.ssl_ca_cert = os.environ.get("SSL_CERT_FILE")
    # An answer that breaks off is asked for again by `patiently`, or by nobody: a run must not be started twice.
    configuration.retries = urllib3.Retry(total=5, connect=1, read=0)
    token = token_source(connection)
    if token:
        configuration.api_key["authorization"] = ""  # the hook's, before each request
        configuration.api_key_prefix["authorization"] = "Bearer"
        configuration.refresh_api_key_hook = lambda current: current.api_key.update(authorization=token())
    return configuration


def _version_and_parameters(pipeline_id: str, version_id: str, params: dict[str, Any], pipeline_root: str | None) -> dict[str, Any]:
    """What runs and recurring runs have in common."""
    from kfp_server_api import V2beta1PipelineVersionReference, V2beta1RuntimeConfig

    return {
        "pipeline_version_reference": V2beta1PipelineVersionReference(pipeline_id=pipeline_id, pipeline_version_id=version_id),
        "runtime_config": V2beta1RuntimeConfig(pipeline_root=pipeline_root, parameters=params),
    }


def _named(name: str) -> str:
    return json.dumps({"predicates": [{"operation": _EQUALS, "key": "display_name", "stringValue": name}]})


def _kfp_text(body: Any) -> str:
    """KFP's own words of an error's body, on one line."""
    try:
        given = json_text.loads(body or "")
    except (TypeError, ValueError):
        given = body if isinstance(body, str) and "<html" not in body.lower() else ""
    if isinstance(given, dict):
        names = ("message", "error", "error_message", "errorMessage", "error_details")
        given = next((given[name] for name in names if isinstance(given.get(name), str) and given[name]), "")
    return " ".join(str(given).split())[:_LONGEST].rstrip(". ")


def _cause(error: Exception) -> str:
    cause = getattr(error, "reason", None) or error
    return " ".join(str(cause).rpartition(": ")[2].split())[:_LONGEST].rstrip(".")
