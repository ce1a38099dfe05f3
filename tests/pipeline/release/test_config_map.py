"""Releases in a cluster's ConfigMap, over HTTP to an API server of the tests that has the two calls which are used."""

import http.server
import json
import re
import sys
import threading
import urllib.parse

import pytest

PATH = re.compile(r"/api/v1/namespaces/([^/]+)/configmaps/([^/?]+)")


class ApiServer(http.server.ThreadingHTTPServer):
    """One ConfigMap. `changed` is called with the new text, as kubelet brings it to pods; `requests` are those that were answered."""

    daemon_threads = True

    def __init__(self, text):
        super().__init__(("127.0.0.1", 0), Handler)
        self.data, self.revision, self.requests, self.refuse = {"models.config": text}, 41, [], None
        self.changed = self.before_patch = lambda text: None

    @property
    def text(self):
        return self.data["models.config"]


class Handler(http.server.BaseHTTPRequestHandler):
    """GET and PATCH as the real API server answers them."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._answer(None)

    def do_PATCH(self):
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, patch):
        url = urllib.parse.urlsplit(self.path)
        namespace, name = PATH.fullmatch(url.path).groups()
        query = dict(urllib.parse.parse_qsl(url.query))
        self.server.requests.append((self.command, namespace, name, query, self.headers["Content-Type"], self.headers["Authorization"]))
        if self.server.refuse:
            self._refuse(*self.server.refuse)
        elif (namespace, name) != ("tapeline-serving", "tapeline-models"):
            self._refuse(404, "NotFound", f'configmaps "{name}" not found')
        elif patch is None:
            self._send(200, self._config_map())
        else:
            self._patch(patch)

    def _patch(self, patch):
        server = self.server
        server.before_patch(patch)
        if self.headers["Content-Type"] not in ("application/strategic-merge-patch+json", "application/merge-patch+json"):
            self._refuse(415, "UnsupportedMediaType", self.headers["Content-Type"])
        elif patch["metadata"].get("resourceVersion", str(server.revision)) != str(server.revision):
            message = 'Operation cannot be fulfilled on configmaps "tapeline-models": the object has been modified'
            self._refuse(409, "Conflict", f"{message}; please apply your changes to the latest version and try again")
        else:
            server.data.update(patch["data"])
            server.revision += 1
            server.changed(server.text)
            self._send(200, self._config_map())

    def _config_map(self):
        metadata = {"name": "tapeline-models", "namespace": "tapeline-serving", "resourceVersion": str(self.server.revision)}
        return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata, "data": self.server.data}

    def _refuse(self, code, reason, message):
        self._send(code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason, "code": code})

    def _send(self, code, body):
        content = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        """Says nothing."""


@pytest.fixture
def cluster(config_file, tmp_path, monkeypatch):
    """An API server that holds `config_file`'s text, and a kubeconfig for it."""
    server = ApiServer(config_file.read_text())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    write_kubeconfig(tmp_path / "kubeconfig", f"http://127.0.0.1:{server.server_port}")
    use_kubeconfig(monkeypatch, tmp_path / "kubeconfig")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def write_kubeconfig(path, url):
    """JSON is YAML."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [{"name": "here", "cluster": {"server": url}}],
        "users": [{"name": "me", "user": {"token": "secret"}}],
    }
    path.write_text(json.dumps(config))


def use_kubeconfig(monkeypatch, path):
    """The package reads the variable when it is imported, which is once in a run of the tests."""
    from kubernetes.config import kube_config

    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


def test_a_promote_is_a_patch_of_the_one_key_with_the_revision_that_was_read_under_a_name_of_its_own(release, cluster, entry):
    answer = release("promote", 3, "--no-wait")
    assert answer.status == 0
    assert entry(cluster.text) == ({"stable": 3}, [3])
    (get, *got), (patch, _, _, query, content_type, _) = cluster.requests
    assert (get, patch) == ("GET", "PATCH")
    assert got == ["tapeline-serving", "tapeline-models", {}, "application/json", "Bearer secret"]
    assert query == {"fieldManager": "tapeline-release"}
    assert content_type == "application/strategic-merge-patch+json"


def test_history_and_rollback_live_in_the_config_map(release, cluster, entry):
    for version in (3, 4):
        release("promote", version, "--no-wait")
    assert release("status").out.startswith("digits in ConfigMap tapeline-models in tapeline-serving\n")
    assert release("rollback").out == "stable of digits is version 3, was 4. There is no version before it to roll back to.\n"
    assert entry(cluster.text) == ({"stable": 3}, [3])


def test_what_somebody_else_has_written_meanwhile_is_not_lost(release, cluster):
    def write_too(patch):
        cluster.data["models.config"], cluster.revision = "theirs", 99

    cluster.before_patch = write_too
    answer = release("promote", 3, "--no-wait")
    assert (answer.status, answer.out, answer.err.count("\n")) == (1, "", 1)
    assert answer.err == (
        "ConfigMap tapeline-models in tapeline-serving was changed by somebody else meanwhile: what they wrote is left as it is, and "
        "stable was not moved. See what it says now: tapeline release status; then try again.\n"
    )
    assert cluster.text == "theirs"


@pytest.mark.parametrize(
    ("refusal", "status", "said"),
    [
        ((403, "Forbidden", 'User "me" cannot get resource "configmaps"'), 1, "role-release.yaml gives it; bind it to whoever releases.\n"),
        ((401, "Unauthorized", "Unauthorized"), 1, "Expected credentials that the cluster knows. Received: Unauthorized. Log in again"),
        ((500, "InternalError", "etcdserver: request timed out"), 1, "the API server answered 500: etcdserver: request timed out\n"),
    ],
)
def test_a_refusal_is_one_line_with_the_api_servers_words(release, cluster, refusal, status, said):
    cluster.refuse = refusal
    answer = release("promote", 3, "--no-wait")
    assert (answer.status, answer.out, answer.err.count("\n")) == (status, "", 1)
    assert said in answer.err


def test_a_config_map_that_is_not_there_is_said_with_how_to_apply_it(release, cluster):
    answer = release("status", "--configmap", "models", "--namespace", "default")
    assert (answer.status, answer.err.count("\n")) == (1, 1)
    assert answer.err.startswith('Expected the ConfigMap models in default to be there. Received: configmaps "models" not found. Apply')


def test_a_config_map_without_the_key_names_what_it_has(release, cluster):
    cluster.data = {"model.config": "x"}
    answer = release("status")
    assert answer.status == 2
    assert answer.err.endswith("Expected the key 'models.config'. Received: model.config. Did you mean 'model.config'?\n")


def test_a_context_that_the_kubeconfig_does_not_have_names_the_nearest(release, cluster):
    answer = release("status", "--context", "hero")
    assert (answer.status, answer.err.count("\n")) == (2, 1)
    assert "Contexts: here. Did you mean 'here'?\n" in answer.err
    assert release("status", "--context", "here").status == 0


def test_without_a_kubeconfig_the_file_is_named_as_the_other_way(release, monkeypatch, tmp_path):
    use_kubeconfig(monkeypatch, tmp_path / "no-such-kubeconfig")
    answer = release("status")
    assert (answer.status, answer.err.count("\n")) == (2, 1)
    assert answer.err.startswith("Expected a cluster in the kubeconfig, or --model_config_file FILE for a server on a file. Received: ")


def test_an_api_server_that_is_not_there_is_one_line(release, monkeypatch, tmp_path):
    write_kubeconfig(tmp_path / "kubeconfig", "http://127.0.0.1:1")
    use_kubeconfig(monkeypatch, tmp_path / "kubeconfig")
    answer = release("promote", 3, "--no-wait")
    assert (answer.status, answer.err.count("\n")) == (1, 1)
    assert answer.err.startswith("No API server answers at http://127.0.0.1:1 (")


def test_an_answer_that_is_not_the_api_servers_is_told_by_https_reason(release, monkeypatch, tmp_path):
    """As of a proxy in front of it: a page, and no Status."""
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as proxy:
        monkeypatch.setattr(proxy.RequestHandlerClass, "log_message", lambda *_: None)
        threading.Thread(target=proxy.handle_request).start()
        write_kubeconfig(tmp_path / "kubeconfig", f"http://127.0.0.1:{proxy.server_port}")
        use_kubeconfig(monkeypatch, tmp_path / "kubeconfig")
        answer = release("status")
    assert (answer.status, answer.err.count("\n")) == (1, 1)
    assert answer.err.endswith("the API server answered 501: Unsupported method ('GET')\n")


def test_a_broken_kubeconfig_is_told_once_also_where_a_context_was_named(release, monkeypatch, tmp_path):
    (tmp_path / "kubeconfig").write_text("[")
    use_kubeconfig(monkeypatch, tmp_path / "kubeconfig")
    answer = release("status", "--context", "here")
    assert (answer.status, answer.err.count("\n")) == (2, 1)
    assert "Received: while parsing" in answer.err
    assert "Contexts:" not in answer.err


def test_in_a_pod_without_a_kubeconfig_the_pods_own_account_is_asked_for(release, cluster, monkeypatch):
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(cluster.server_port))
    answer = release("status")
    assert answer.status == 2
    assert "Received: Service token file does not exist." in answer.err
    assert cluster.requests == []


def test_without_the_package_kubernetes_both_ways_on_are_named(release, monkeypatch):
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    answer = release("status")
    assert (answer.status, answer.err.count("\n")) == (2, 1)
    assert answer.err.endswith("Received: no such package. pip install 'tapeline[kubeflow]', or name a file: --model_config_file FILE.\n")


def test_a_release_through_the_config_map_reaches_a_server_that_polls_what_kubelet_brings(release, cluster, running):
    model = running.add_one_more(1, 2)
    cluster.data["models.config"] = running.config.read_text()

    def bring(text):
        copy = running.config.with_suffix(".brought")
        copy.write_text(text)
        copy.rename(running.config)

    cluster.changed = bring
    options = ("--model_name", model, "--server", running.target.address)
    assert release("promote", 1, *options).status == 0
    assert release("promote", 2, *options).status == 0
    assert running.serves(model, "stable") == 2
    assert release("rollback", *options).status == 0
    assert running.serves(model, "stable") == 1
    assert len([request for request in cluster.requests if request[0] == "PATCH"]) == 5


def test_a_config_that_cannot_be_put_back_is_said_with_what_it_is_now(release, cluster, running, entry):
    model = running.add_one_more(1, 2)  # `latest` has loaded 2, and nothing is brought to the server
    cluster.data["models.config"] = running.config.read_text()
    cluster.changed = lambda text: setattr(cluster, "refuse", (500, "InternalError", "etcdserver: request timed out"))
    answer = release("promote", 1, "--model_name", model, "--server", running.target.address, "--timeout", "0.1")
    assert (answer.status, answer.out) == (1, "")
    last = answer.err.splitlines()[-1]
    assert "The config could not be put back (ConfigMap tapeline-models in tapeline-serving: the API server answered 500: " in last
    assert last.endswith("version 1 stays listed, no label has moved, there is no label stable.")
    assert entry(cluster.text, model) == ({}, [1])
