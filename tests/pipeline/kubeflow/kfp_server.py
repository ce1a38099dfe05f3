"""A Kubeflow Pipelines of one file, over real HTTP: the paths of its API that the client uses, in memory, with runs by script.

Paths, names and shapes are those of KFP's published OpenAPI (backend/api/v2beta1/swagger), of which the installed kfp_server_api is
generated: every answer and every body goes through its models, which know no field that the OpenAPI does not have. What the OpenAPI
leaves open (upload in multipart, logs under v1alpha1, a run's nodes, texts of refusals) follows the server's source.
"""

import email
import json
import re
import sys
import threading
import uuid
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import kfp_server_api
import yaml

START = datetime(2026, 5, 4, 3, 0, tzinfo=UTC)
_KINDS = {"STRING": str, "NUMBER_INTEGER": (int, float), "NUMBER_DOUBLE": (int, float), "BOOLEAN": bool}
_WORKFLOW = "tiny-x7k2p"


class Refused(Exception):
    """An answer that is an error: HTTP status, gRPC code, text."""

    def __init__(self, status, code, text):
        super().__init__(text)
        self.status, self.code = status, code


class _HttpServer(ThreadingHTTPServer):
    """Says nothing of a client that has gone, as one that was interrupted has."""

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class KfpServer:
    """The server and its memory.

    Attributes:
      requests: (method, path, query, body) of all, in order.
      token: what requests must bear, None for no check.
      frames: what a run's successive `get_run` say: ({task: state}, run's state); the last one stays. States: `driver`, `running`, `run`,
        `cached`, `skipped`, `omitted`, `failed`, `driver failed`, `canceled`.
      logs: by task; a task without one has none.
      faults: called with (method, path) before each answer; what it returns is answered instead: (status, text), `reset` or `page`.
      pod_names: `v2` as of Argo 3.4, else `v1`: the node's.
    """

    def __init__(self):
        self.requests, self.pipelines, self.versions, self.experiments = [], {}, {}, {}
        self.runs, self.recurring = {}, {}
        self.token = None
        self.frames = [({}, "SUCCEEDED")]
        self.logs = {}
        self.faults = lambda method, path: None
        self.pod_names = "v2"
        self.has_executor_nodes = True
        self._lock = threading.Lock()
        self._http = _HttpServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._http.server_port}"

    def close(self):
        self._http.shutdown()
        self._http.server_close()

    def bodies(self, method, path):
        """What was sent there."""
        return [body for one, where, _, body in self.requests if (one, where) == (method, f"/apis/v2beta1{path}")]

    def answer(self, method, path, query, body):
        """(model, value) of a request. Raises Refused."""
        with self._lock:
            for verb, pattern, function in _ROUTES:
                matched = re.fullmatch(pattern, path)
                if verb == method and matched:
                    return function(self, query, body, *matched.groups())
        raise Refused(404, 5, "Not Found")

    # Pipelines

    def list_pipelines(self, query, _):
        found = [one for one in _filtered(self.pipelines.values(), query) if one.get("namespace", "") == query.get("namespace", "")]
        return "V2beta1ListPipelinesResponse", _page("pipelines", found)

    def upload_pipeline(self, query, body):
        spec = _checked_spec(body)
        if any(one["display_name"] == query["name"] for one in self.pipelines.values()):
            raise Refused(409, 6, "Failed to create a pipeline and a pipeline version")
        pipeline = {"pipeline_id": _id(), "display_name": query["name"], "created_at": _now(), "namespace": query.get("namespace", "")}
        self.pipelines[pipeline["pipeline_id"]] = pipeline
        self._add_version(pipeline["pipeline_id"], query["name"], spec)
        return "V2beta1Pipeline", pipeline

    def upload_version(self, query, body):
        if query.get("pipelineid") not in self.pipelines:
            raise Refused(400, 3, "Failed to create a pipeline version")
        return "V2beta1PipelineVersion", self._add_version(query["pipelineid"], query["name"], _checked_spec(body))

    def _add_version(self, pipeline, name, spec):
        if any((one["pipeline_id"], one["display_name"]) == (pipeline, name) for one in self.versions.values()):
            raise Refused(409, 6, "Failed to create a pipeline version")
        version = {"pipeline_id": pipeline, "pipeline_version_id": _id(), "display_name": name, "created_at": _now(), "pipeline_spec": spec}
        self.versions[version["pipeline_version_id"]] = version
        return version

    def list_versions(self, query, _, pipeline):
        found = [one for one in self.versions.values() if one["pipeline_id"] == pipeline]
        return "V2beta1ListPipelineVersionsResponse", _page("pipeline_versions", _filtered(found, query))

    def get_version(self, _, __, pipeline, version):
        return "V2beta1PipelineVersion", _get(self.versions, version, "PipelineVersion")

    # Experiments

    def list_experiments(self, query, _):
        found = [one for one in _filtered(self.experiments.values(), query) if one.get("namespace", "") == query.get("namespace", "")]
        return "V2beta1ListExperimentsResponse", _page("experiments", found)

    def create_experiment(self, _, body):
        _check("V2beta1Experiment", body)
        experiment = {**body, "experiment_id": _id(), "created_at": _now(), "storage_state": "AVAILABLE"}
        self.experiments[experiment["experiment_id"]] = experiment
        return "V2beta1Experiment", experiment

    # Runs

    def create_run(self, _, body):
        _check("V2beta1Run", body)
        _get(self.experiments, body["experiment_id"], "Experiment")
        self._check_parameters("Failed to create a new run", body)
        run = {**body, "run_id": _id(), "created_at": _time(0), "state": "PENDING", "storage_state": "AVAILABLE"}
        run |= {"scheduled_at": _time(0), "finished_at": _time(None)}
        self.runs[run["run_id"]] = {"run": run, "polls": 0}
        return "V2beta1Run", run

    def get_run(self, _, __, run):
        kept = _get(self.runs, run, "Run")
        states, state = self.frames[min(kept["polls"], len(self.frames) - 1)]
        kept["polls"] += 1
        if kept["run"]["state"] == "CANCELED":
            state = "CANCELED"
        ended = state in ("SUCCEEDED", "FAILED", "CANCELED")
        nodes = [node for place, (task, word) in enumerate(states.items()) for node in self._nodes(run, place, task, word)]
        details = {"run_details": {"task_details": [*self._dag_nodes(run), *nodes]}} if states else {}
        error = {"error": {"code": 13, "message": "Workflow failed"}} if state == "FAILED" else {}
        kept["run"] = {**kept["run"], "state": state, "finished_at": _time(90 if ended else None)}
        return "V2beta1Run", {**kept["run"], **details, **error}

    def list_runs(self, query, _):
        found = [kept["run"] for kept in reversed(self.runs.values())]
        if query.get("experiment_id"):
            found = [run for run in found if run["experiment_id"] == query["experiment_id"]]
        return "V2beta1ListRunsResponse", _page("runs", found[: int(query.get("page_size", 10))])

    def terminate(self, _, __, run):
        _get(self.runs, run, "Run")["run"]["state"] = "CANCELED"
        return "object", {}

    def log(self, _, __, run, node):
        _get(self.runs, run, "Run")
        known = {self._pod(place, task): task for place, task in enumerate(self.frames[-1][0])}
        if known.get(node) not in self.logs:
            raise Refused(500, 13, f"Failed to read logs for run {run}: Failed to read logs from pod {node}: pods {node!r} not found")
        return "text", self.logs[known[node]]

    def _dag_nodes(self, run):
        """What every run has beside its tasks."""
        names = [(_WORKFLOW, "9"), ("root-driver", "8"), ("root", "7")]
        return [self._node(run, name, number, "SUCCEEDED", 0, 1) for name, number in names]

    def _nodes(self, run, place, task, word):
        """Driver, task and executor, as far as they are."""
        at = 10 * place
        driver = {"driver": "RUNNING", "driver failed": "FAILED", "omitted": "SKIPPED"}.get(word, "SUCCEEDED")
        nodes = [self._node(run, f"{task}-driver", f"{place}1", driver, at, None if driver == "RUNNING" else at + 2)]
        state = {"running": "RUNNING", "run": "SUCCEEDED", "cached": "SUCCEEDED", "failed": "FAILED", "canceled": "CANCELED"}.get(word)
        if word in ("skipped", "omitted"):
            state = "SKIPPED"
        if state is None:
            return nodes
        executor = "SKIPPED" if word == "cached" else state
        end = None if state == "RUNNING" else at + 7
        if not self.has_executor_nodes:
            return [*nodes, self._node(run, task, f"{place}3", executor, at + 2, end)]
        nodes.append(self._node(run, task, f"{place}2", state, at + 2, end, [f"{_WORKFLOW}-{place}3"]))
        return [*nodes, self._node(run, "executor", f"{place}3", executor, at + 2, end)]

    def _node(self, run, name, number, state, start, end, children=()):
        pod = f"{_WORKFLOW}-{number}"
        node = {"run_id": run, "task_id": str(uuid.uuid5(uuid.UUID(run), pod)), "display_name": name, "state": state, "pod_name": pod}
        node |= {"create_time": _time(start), "start_time": _time(start), "end_time": _time(end)}
        return node | ({"child_tasks": [{"pod_name": child} for child in children]} if children else {})

    def _pod(self, place, task):
        """Where a step's log is: Argo's pod, of today's name or of the node's."""
        return f"{_WORKFLOW}-system-container-impl-{place}3" if self.pod_names == "v2" else f"{_WORKFLOW}-{place}3"

    # Recurring runs

    def create_recurring_run(self, _, body):
        _check("V2beta1RecurringRun", body)
        _get(self.experiments, body["experiment_id"], "Experiment")
        if not 1 <= int(body.get("max_concurrency", 0)) <= 10:
            raise Refused(400, 3, "The max concurrency of the recurring run is out of range. Support 1-10. Received 0.")
        if len(body["trigger"]["cron_schedule"]["cron"].split()) not in (5, 6):
            raise Refused(400, 3, "Schedule cron is not a supported format(https://godoc.org/github.com/robfig/cron).")
        self._check_parameters("Failed to create a recurring run", body)
        status = {"ENABLE": "ENABLED", "DISABLE": "DISABLED"}[body["mode"]]
        kept = {**body, "max_concurrency": str(body["max_concurrency"]), "recurring_run_id": _id(), "created_at": _now(), "status": status}
        self.recurring[kept["recurring_run_id"]] = kept
        self._check_one_enabled()
        return "V2beta1RecurringRun", kept

    def list_recurring_runs(self, query, _):
        found = _filtered(self.recurring.values(), query)
        if query.get("experiment_id"):
            found = [one for one in found if one["experiment_id"] == query["experiment_id"]]
        return "V2beta1ListRecurringRunsResponse", _page("recurringRuns", found)

    def switch_recurring_run(self, _, __, name, verb):
        _get(self.recurring, name, "RecurringRun")["status"] = {"enable": "ENABLED", "disable": "DISABLED"}[verb]
        self._check_one_enabled()
        return "object", {}

    def delete_recurring_run(self, _, __, name):
        _get(self.recurring, name, "RecurringRun")
        del self.recurring[name]
        return "object", {}

    def _check_one_enabled(self):
        """No rule of KFP's, but of these tests: between two requests never two are on."""
        names = [one["display_name"] for one in self.recurring.values() if one["status"] == "ENABLED"]
        assert len(names) == len(set(names)), f"two recurring runs are enabled: {names}"

    def _check_parameters(self, frame, body):
        """As validatePipelineJobInputs does."""
        version = _get(self.versions, body["pipeline_version_reference"]["pipeline_version_id"], "PipelineVersion")
        known = version["pipeline_spec"]["root"].get("inputDefinitions", {}).get("parameters", {})
        start = f"{frame}: Failed to generate the ExecutionSpec: invalid pipeline job inputs: Invalid input error: "
        given = body.get("runtime_config", {}).get("parameters", {})
        for name, value in given.items():
            if name not in known:
                raise Refused(400, 3, f"{start}parameter(s) provided are not required by pipeline: {name}")
            if not isinstance(value, _KINDS[known[name]["parameterType"]]):
                raise Refused(400, 3, f"{start}input parameter {name} requires type {known[name]['parameterType']}")


_V2 = "/apis/v2beta1"
_ROUTES = [
    ("GET", f"{_V2}/pipelines", KfpServer.list_pipelines),
    ("POST", f"{_V2}/pipelines/upload", KfpServer.upload_pipeline),
    ("POST", f"{_V2}/pipelines/upload_version", KfpServer.upload_version),
    ("GET", f"{_V2}/pipelines/([^/]+)/versions", KfpServer.list_versions),
    ("GET", f"{_V2}/pipelines/([^/]+)/versions/([^/]+)", KfpServer.get_version),
    ("GET", f"{_V2}/experiments", KfpServer.list_experiments),
    ("POST", f"{_V2}/experiments", KfpServer.create_experiment),
    ("POST", f"{_V2}/runs", KfpServer.create_run),
    ("GET", f"{_V2}/runs", KfpServer.list_runs),
    ("GET", f"{_V2}/runs/([^/:]+)", KfpServer.get_run),
    ("POST", f"{_V2}/runs/([^/:]+):terminate", KfpServer.terminate),
    ("GET", "/apis/v1alpha1/runs/([^/]+)/nodes/([^/]+)/log", KfpServer.log),
    ("POST", f"{_V2}/recurringruns", KfpServer.create_recurring_run),
    ("GET", f"{_V2}/recurringruns", KfpServer.list_recurring_runs),
    ("POST", f"{_V2}/recurringruns/([^/:]+):(enable|disable)", KfpServer.switch_recurring_run),
    ("DELETE", f"{_V2}/recurringruns/([^/:]+)", KfpServer.delete_recurring_run),
]


def _handler(server):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # connections are kept, as real servers keep them
        wbufsize = -1  # an answer in one piece: in two, the second waits 40 ms for the first to be acknowledged

        def _serve(self):
            url = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(url.query).items()}
            body = self._body()
            server.requests.append((self.command, url.path, query, body))
            fault = server.faults(self.command, url.path)
            if fault == "reset":
                self.close_connection = True
                self.connection.shutdown(2)
            elif fault == "page":
                self._send(200, "text/html; charset=utf-8", b"<html>Log in with your account</html>")
            elif fault:
                self._refuse(Refused(fault[0], 13, fault[1]))
            elif server.token and self.headers.get("Authorization") != f"Bearer {server.token}":
                self._refuse(Refused(401, 16, "Request header error: there is no user identity header."))
            else:
                self._answer(url.path, query, body)

        def _answer(self, path, query, body):
            try:
                model, value = server.answer(self.command, path, query, body)
            except Refused as error:
                return self._refuse(error)
            if model == "text":
                return self._send(200, "text/plain", value.encode())
            if model != "object":
                _check(model, value)
            return self._send(200, "application/json", json.dumps(value).encode())

        def _refuse(self, error):
            """As grpc-gateway does; uploads have a shape of their own."""
            text = str(error)
            details = [{"@type": "type.googleapis.com/google.rpc.Status", "error_message": text.rpartition(": ")[2], "error_details": text}]
            shape = {"error": text, "code": error.code, "message": text, "details": details}
            if "/upload" in self.path or "/nodes/" in self.path:
                shape = {"error_message": text, "error_details": text}
            self._send(error.status, "application/json", json.dumps(shape).encode())

        def _body(self):
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kind = self.headers.get("Content-Type", "")
            if "multipart" in kind:
                message = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + raw)
                [part] = message.get_payload()
                assert part.get_param("name", header="content-disposition") == "uploadfile"
                return {"file": part.get_filename(), "text": part.get_payload(decode=True).decode()}
            return json.loads(raw) if raw else None

        def _send(self, status, kind, content):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

        do_GET = do_POST = do_DELETE = _serve

    return Handler


def _check(model, value):
    """`value` has no field that the OpenAPI's model has not, at any depth, and no enum value that it does not know."""
    api = kfp_server_api.ApiClient()
    back = api.sanitize_for_serialization(api._ApiClient__deserialize(value, model))
    assert _shape(back) == _shape(value), f"{model}: {_shape(value)} is not {_shape(back)}"


def _shape(value):
    if isinstance(value, dict):
        return {key: _shape(part) for key, part in value.items()}
    return [_shape(part) for part in value] if isinstance(value, list) else None


def _checked_spec(body):
    """As the server reads an upload. Raises Refused."""
    if not body["file"].endswith((".yaml", ".yml")):
        raise Refused(400, 3, "Unexpected pipeline file format. Support .zip, .tar.gz or YAML.")
    spec, *platform = yaml.safe_load_all(body["text"])
    if spec.get("schemaVersion") != "2.1.0":
        raise Refused(400, 3, "KFP only supports schema version 2.1.0")
    return {"pipeline_spec": spec, "platform_spec": platform[0]} if platform else spec


def _filtered(kept, query):
    predicates = json.loads(query["filter"])["predicates"] if query.get("filter") else []
    assert all(one["operation"] == 1 for one in predicates)
    return [item for item in kept if all(item[one["key"]] == one["stringValue"] for one in predicates)]


def _page(name, found):
    """The first page, of KFP's size. Unset fields are left out, as the server leaves them out."""
    return {name: list(found)[:20], "total_size": len(found)} if found else {}


def _get(kept, key, kind):
    if key not in kept:
        raise Refused(404, 5, f"ResourceNotFoundError: {kind} {key} not found.")
    return kept[key]


def _id():
    return str(uuid.uuid4())


def _now():
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(seconds):
    """Of a run by script; what has not come yet is 1970."""
    when = START + timedelta(seconds=seconds) if seconds is not None else datetime.fromtimestamp(0, UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
