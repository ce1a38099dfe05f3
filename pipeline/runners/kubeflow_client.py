"""Asks Kubeflow Pipelines through its own client, and turns what goes wrong into one line.

kfp.Client is imported when one is made: it takes seconds, and a wrong option must be told at once.
"""

import contextlib
import io
import json
import logging
import os
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipeline.runners.kubeflow_connection import Connection, credentials
from pipeline.runners.quiet import output_hidden
from trainer.errors import ConfigError, TapelineError

_TIMEOUT_SECONDS = (10.0, 60.0)  # to connect, and for each piece of an answer; kfp itself would wait for ever
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
        self.connection = connection
        proof = credentials(connection)
        with output_hidden(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._kfp = _kfp_client(connection, proof)
        self._api = self._kfp._run_api.api_client  # what kfp makes and gives no public name: timeouts, and the path of logs
        _set_timeouts(self._api)
        # urllib3 tells each retry on stderr; what comes of them is told here. Afterwards, since kfp_server_api sets a level too.
        logging.getLogger("urllib3").setLevel(logging.ERROR)

    def url(self, run: str) -> str:
        """The run's page, where the user interface and the API have one address, or KF_PIPELINES_UI_ENDPOINT names it."""
        return f"{self._kfp._get_url_prefix()}/#/runs/details/{run}"

    def pipeline(self, name: str) -> str | None:
        """The ID of the namespace's pipeline of that name."""
        found = self._ask(self._kfp.list_pipelines, filter=_named(name), namespace=self.connection.namespace).pipelines
        return next((one.pipeline_id for one in found or [] if one.display_name == name), None)

    def upload_pipeline(self, file: Path, name: str) -> str:
        """Creates a pipeline with the package as its first version, and returns its ID."""
        return self._ask(self._kfp.upload_pipeline, str(file), pipeline_name=name, namespace=self.connection.namespace).pipeline_id

    def version(self, pipeline: str, name: str) -> str | None:
        """The ID of the pipeline's version of that name."""
        found = self._ask(self._kfp.list_pipeline_versions, pipeline, filter=_named(name)).pipeline_versions
        return next((one.pipeline_version_id for one in found or [] if one.display_name == name), None)

    def upload_version(self, file: Path, pipeline: str, name: str) -> str:
        """Adds a version to the pipeline, and returns its ID."""
        upload = self._kfp.upload_pipeline_version
        return self._ask(upload, str(file), pipeline_version_name=name, pipeline_id=pipeline).pipeline_version_id

    def spec(self, pipeline: str, version: str) -> dict[str, Any]:
        """The PipelineSpec of a version."""
        found = self._ask(self._kfp.get_pipeline_version, pipeline, version).pipeline_spec or {}
        return found.get("pipeline_spec", found)

    def experiment(self, name: str) -> str | None:
        """The ID of the namespace's experiment of that name."""
        found = self._ask(self._kfp.list_experiments, filter=_named(name), namespace=self.connection.namespace).experiments
        return next((one.experiment_id for one in found or [] if one.display_name == name), None)

    def create_experiment(self, name: str) -> str:
        """The ID of the experiment of that name, made if it is not there."""
        return self.experiment(name) or self._ask(self._kfp.create_experiment, name, namespace=self.connection.namespace).experiment_id

    def create_run(self, **what: Any) -> Any:
        """Starts a run: kfp.Client.run_pipeline's arguments, V2beta1Run."""
        return self._ask(self._kfp.run_pipeline, **what)

    def run(self, run: str) -> Any:
        """V2beta1Run."""
        return self._ask(self._kfp.get_run, run)

    def last_run(self, experiment: str | None) -> Any:
        """The newest run of the experiment, or of the namespace; None where there is none."""
        newest = {"page_size": 1, "sort_by": "created_at desc"}
        found = self._ask(self._kfp.list_runs, experiment_id=experiment, namespace=self.connection.namespace, **newest).runs
        return found[0] if found else None

    def terminate(self, run: str) -> None:
        """Ends a run; what its steps have done stays."""
        self._ask(self._kfp.terminate_run, run)

    def recurring_runs(self, experiment: str | None, name: str) -> list[Any]:
        """The recurring runs of that name, of the experiment or of the namespace: V2beta1RecurringRun."""
        place = {"experiment_id": experiment, "namespace": self.connection.namespace}
        found = self._ask(self._kfp.list_recurring_runs, filter=_named(name), page_size=100, **place).recurring_runs
        return [one for one in found or [] if one.display_name == name]

    def create_recurring_run(self, **what: Any) -> str:
        """Adds a recurring run: kfp.Client.create_recurring_run's arguments; its ID."""
        return self._ask(self._kfp.create_recurring_run, **what).recurring_run_id

    def enable(self, recurring_run: str) -> None:
        """Lets a recurring run start runs."""
        self._ask(self._kfp.enable_recurring_run, recurring_run)

    def disable(self, recurring_run: str) -> None:
        """Keeps a recurring run from starting more runs."""
        self._ask(self._kfp.disable_recurring_run, recurring_run)

    def delete(self, recurring_run: str) -> None:
        """Removes a recurring run; the runs that it has started stay."""
        self._ask(self._kfp.delete_recurring_run, recurring_run)

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
        answer = self._api.call_api(
            "/apis/v1alpha1/runs/{run}/nodes/{node}/log", "GET", {"run": run, "node": pod}, [], {}, auth_settings=["Bearer"],
            _preload_content=False, _request_timeout=_TIMEOUT_SECONDS,
        )  # fmt: skip
        if "text/html" in (answer.headers.get("content-type") or ""):
            raise ClusterError("the server has no such path")
        return answer.data.decode(errors="replace")

    def _ask(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """What `function` of kfp returns, which must have come as JSON: kfp itself would make an empty object of a login page."""
        self._api.last_response = None
        answer = self._answer(function, *arguments, **named)
        kind = self._api.last_response.getheader("content-type", "") if self._api.last_response is not None else "json"
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
            with contextlib.redirect_stdout(io.StringIO()):  # kfp prints links, and stdout may be for JSON
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


def _kfp_client(connection: Connection, proof: Any) -> Any:
    import kfp.client
    import kfp_server_api

    class Client(kfp.client.Client):
        """KFP's client without the question that its constructor asks, five times, 5 s apart, and that only guesses a namespace."""

        def get_kfp_healthz(self, sleep_duration: int = 5) -> Any:
            return kfp_server_api.V2beta1GetHealthzResponse(multi_user=False)

    # The certificates that every other part of the project honours.
    return Client(host=connection.host, credentials=proof, ssl_ca_cert=os.environ.get("SSL_CERT_FILE"))


def _set_timeouts(api: Any) -> None:
    import urllib3

    send = api.rest_client.request

    def request(*arguments: Any, **named: Any) -> Any:
        return send(*arguments, **{**named, "_request_timeout": named.get("_request_timeout") or _TIMEOUT_SECONDS})

    api.rest_client.request = request
    # An answer that breaks off is asked for again by `patiently`, or by nobody: a run must not be started twice.
    api.rest_client.pool_manager.connection_pool_kw["retries"] = urllib3.Retry(total=5, connect=1, read=0)


def _named(name: str) -> str:
    return json.dumps({"predicates": [{"operation": _EQUALS, "key": "display_name", "stringValue": name}]})


def _kfp_text(body: Any) -> str:
    """KFP's own words of an error's body, on one line."""
    try:
        given = json.loads(body or "")
    except (TypeError, ValueError):
        given = body if isinstance(body, str) and "<html" not in body.lower() else ""
    if isinstance(given, dict):
        names = ("message", "error", "error_message", "errorMessage", "error_details")
        given = next((given[name] for name in names if isinstance(given.get(name), str) and given[name]), "")
    return " ".join(str(given).split())[:_LONGEST].rstrip(". ")


def _cause(error: Exception) -> str:
    cause = getattr(error, "reason", None) or error
    return " ".join(str(cause).rpartition(": ")[2].split())[:_LONGEST].rstrip(".")
