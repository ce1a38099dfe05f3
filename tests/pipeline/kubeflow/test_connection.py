"""How KFP is reached: tokens, Google's identity, and each thing that can be wrong there, told in one line."""

import contextlib
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pipeline import cli
from pipeline.kubeflow import client
from tests.pipeline.kubeflow.kfp_script import package
from tests.pipeline.kubeflow.kfp_server import KfpServer

TOKEN = "eyJhbGciOiJSUzI1NiJ9.secret.signature"


@pytest.fixture
def server(monkeypatch):
    server = KfpServer()
    for variable in ("TAPELINE_KFP_HOST", "KF_PIPELINES_SA_TOKEN_PATH", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(variable, raising=False)
    yield server
    server.close()


@pytest.fixture
def submit(server, tmp_path, capfd):
    """submit("--option") -> (exit status, all that was said)."""
    file = tmp_path / "pipeline.yaml"
    file.write_text(package())

    def submit_(*options, host=None):
        status = cli.main(["kubeflow", "submit", str(file), "--no-follow", "--host", host or server.url, *options])
        captured = capfd.readouterr()
        return status, captured.out + captured.err

    return submit_


@pytest.fixture
def token(tmp_path):
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    return file


def test_a_token_is_read_from_its_file(submit, server, token):
    server.token = TOKEN
    status, said = submit("--token-file", str(token))
    assert status == 0
    assert len(server.runs) == 1
    assert TOKEN not in said


def test_a_pods_token_is_found_where_kfps_own_client_finds_it(submit, server, token, monkeypatch):
    server.token = TOKEN
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(token))
    assert submit()[0] == 0


def test_a_token_that_kubernetes_has_replaced_is_read_anew(submit, server, token, tmp_path):
    server.token = TOKEN

    def renew(method, path):
        """While the experiment is asked for, the file changes; from the next request on the old token has run out."""
        if token.read_text() == "the-next-one":
            server.token = "the-next-one"
        if path.endswith("/experiments"):
            token.write_text("the-next-one")

    server.faults = renew
    assert submit("--token-file", str(token))[0] == 0
    assert server.token == "the-next-one"


def test_a_token_that_is_not_accepted_is_named_by_its_file_and_never_shown(submit, server, token):
    server.token = "another"
    status, said = submit("--token-file", str(token), "--json")
    assert status == 1
    assert (
        f"Kubeflow Pipelines at {server.url} did not let us in with the token in {token} (401): Request header error: there is no user"
        in said
    )
    assert "secret" not in said
    assert server.runs == {}


def test_without_a_token_the_way_to_give_one_is_told(submit, server):
    server.token = TOKEN
    status, said = submit()
    assert status == 1
    assert "did not let us in with no token (401): Request header error: there is no user identity header. Give --token-file or" in said


def test_a_namespace_that_is_not_ours_is_told_in_kfps_words(submit, server):
    text = "PermissionDenied: User 'tapeline-submit' is not authorized with reason: (request: &ResourceAttributes{Namespace:other})"
    server.faults = lambda method, path: (403, text)
    status, said = submit("--namespace", "other")
    assert status == 1
    assert f"(403): {text}" in said


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "Received: nothing"), ("two words", "Received: spaces or lines in it"), (None, "No such file or directory")],
)
def test_a_token_file_that_holds_no_token_is_refused_before_anything_is_sent(submit, server, tmp_path, content, said):
    file = tmp_path / "odd-token"
    if content is not None:
        file.write_text(content)
    status, text = submit("--token-file", str(file))
    assert (status, server.requests) == (2, [])
    assert said in text
    assert "two words" not in text


def test_a_token_is_not_sent_over_plain_http_to_a_host_of_the_internet(submit, token):
    status, said = submit("--token-file", str(token), host="http://kfp.example.org:8888")
    assert status == 2
    assert "Expected --host with https://, since a token is sent to it. Received: 'http://kfp.example.org:8888'" in said


def test_a_token_goes_over_plain_http_where_that_is_asked_for(submit, server, token):
    server.token = TOKEN
    host = server.url.replace("127.0.0.1", "0.0.0.0")  # noqa: S104 - this machine as well, by an address that does not say so
    status, said = submit("--token-file", str(token), host=host)
    assert (status, server.requests) == (2, [])
    assert "--insecure sends the token all the same" in said
    assert submit("--token-file", str(token), "--insecure", host=host)[0] == 0


def test_the_command_that_follows_the_run_asks_with_the_same_token(submit, token, monkeypatch):
    _, said = submit("--token-file", str(token))
    assert said.endswith(f" --token-file {token}\n")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(token))
    _, said = submit()
    assert "--token-file" not in said  # it finds it by itself


@pytest.mark.parametrize(
    ("host", "in_a_pod", "is_private"),
    [
        ("http://127.0.0.1:8888", False, True),
        ("http://[::1]:8888", False, True),
        ("http://ml-pipeline:8888", False, True),
        ("http://ml-pipeline.kubeflow.svc:8888", False, True),
        ("http://ml-pipeline.kubeflow.svc.cluster.local:8888", False, True),
        ("http://ml-pipeline.kubeflow:8888", True, True),
        ("http://ml-pipeline.kubeflow:8888", False, False),
        ("http://kfp.example.org", True, False),
        ("http://10.0.0.1", False, False),
        ("https://kfp.example.org", False, True),
    ],
)
def test_which_hosts_may_be_sent_a_token(host, in_a_pod, is_private, token, monkeypatch):
    from pipeline.kubeflow.connection import connection
    from trainer.errors import ConfigError

    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    if in_a_pod:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert connection(host, token_file=token, insecure=True).host == host
    if is_private:
        assert connection(host, token_file=token).host == host
    else:
        with pytest.raises(ConfigError, match="https://"):
            connection(host, token_file=token)


@pytest.mark.parametrize(
    "host", ["localhost:8888", "ftp://kfp", "https://", "https://user:opensesame@kfp", "https://kfp:port", "https://kfp/#/runs"]
)
def test_what_is_no_url_of_an_api_is_refused(submit, host):
    status, said = submit(host=host)
    assert status == 2
    assert "Expected --host" in said
    assert "opensesame" not in said


def test_a_host_that_does_not_answer_is_told(submit):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{unused.getsockname()[1]}"
        status, said = submit(host=host)
    assert status == 1
    assert said == f"Expected Kubeflow Pipelines at {host}. Received: [Errno 111] Connection refused. Is --host right, and can it be " \
                   "reached from here?\n"  # fmt: skip


def test_a_host_that_accepts_and_says_nothing_is_given_up(submit, monkeypatch):
    monkeypatch.setattr(client, "_TIMEOUT_SECONDS", (0.2, 0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        status, said = submit(host=f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert status == 1
    assert "Received: Read timed out. (read timeout=0.2)" in said


def test_a_login_page_is_not_taken_for_kfp(submit, server):
    server.faults = lambda method, path: "page"
    status, said = submit()
    assert status == 1
    assert "Received: a page (text/html; charset=utf-8). It may be a login in front of it, which no token did not pass" in said


def test_kfps_refusal_is_one_line(submit, server):
    chain = "Failed to create a new run: Failed to generate the ExecutionSpec:\n invalid pipeline job inputs: Invalid input error: odd"
    server.faults = lambda method, path: (400, chain) if method == "POST" and path.endswith("/runs") else None
    status, said = submit("--json")
    assert status == 2
    assert said.splitlines()[-1] == f"Kubeflow Pipelines at {server.url} refused this (400): {' '.join(chain.split())}."
    assert json.loads(said.splitlines()[0])["reasons"] == [said.splitlines()[-1]]


def test_gkes_identity_is_googles_application_default_credentials(submit, server, tmp_path, monkeypatch):
    with _google(tmp_path, monkeypatch, "ya29.from-google"):
        server.token = "ya29.from-google"
        status, said = submit("--gke-identity")
    assert status == 0
    assert len(server.runs) == 1
    assert "ya29" not in said
    assert "--gke-identity" in said  # the command that follows the run asks as the same


def test_no_identity_of_google_is_told(submit, server, tmp_path, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    status, said = submit("--gke-identity")
    assert (status, server.requests) == (2, [])
    assert "Expected Google's Application Default Credentials with --gke-identity. Received: File" in said


def test_a_token_of_google_that_kfp_does_not_take_is_told_as_such(submit, server, tmp_path, monkeypatch):
    with _google(tmp_path, monkeypatch, "ya29.from-google"):
        server.token = "another"
        status, said = submit("--gke-identity")
    assert status == 1
    assert "did not let us in with the token of GKE's identity (401)" in said


def test_a_google_that_gives_no_token_is_told(submit, server, tmp_path, monkeypatch):
    with _google(tmp_path, monkeypatch, None):
        status, said = submit("--gke-identity")
    assert (status, server.requests) == (1, [])
    assert said.startswith("Expected a token of GKE's identity. Received: ")
    assert said.count("\n") == 1


def test_only_one_proof_can_be_given(submit, server, token):
    with pytest.raises(SystemExit, match="2"):
        submit("--gke-identity", "--token-file", str(token))
    assert server.requests == []


@contextlib.contextmanager
def _google(tmp_path, monkeypatch, token):
    """A service account whose tokens are `token`; None: it gets none."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    with _TokenServer(token) as url:
        account = {"type": "service_account", "project_id": "p", "client_email": "a@p.example", "private_key": pem, "token_uri": url}
        (tmp_path / "key.json").write_text(json.dumps(account))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
        yield


class _TokenServer:
    """Google's token endpoint: gives one token for any signed assertion, or none."""

    def __init__(self, token):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                assert b"assertion=" in self.rfile.read(int(self.headers["Content-Length"]))
                content = json.dumps({"access_token": token, "expires_in": 3600, "token_type": "Bearer"}).encode()
                self.send_response(200 if token else 400)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self):
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return f"http://127.0.0.1:{self._http.server_port}/token"

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()
