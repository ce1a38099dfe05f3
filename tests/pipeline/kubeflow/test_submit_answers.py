"""What the client of KFP makes of answers that are not as they should be, and what it asks for."""

import contextlib
import datetime
import ipaddress
import ssl
import threading
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pipeline import cli
from tests.pipeline.kubeflow.kfp_script import frames, package
from tests.pipeline.kubeflow.kfp_server import KfpServer


@pytest.fixture
def kubeflow(server, tmp_path, capsys):
    """kubeflow("status", "--option") -> (exit status, all that was said); the package is `pipeline.yaml`."""
    (tmp_path / "pipeline.yaml").write_text(package())

    def kubeflow_(command, *options):
        source = [str(tmp_path / "pipeline.yaml")] if command == "submit" else []
        status = cli.main(["kubeflow", command, *source, *options])
        return status, "".join(capsys.readouterr())

    return kubeflow_


@pytest.mark.parametrize(("method", "path"), [("GET", "/experiments"), ("POST", "/runs"), ("GET", "/pipelines")])
def test_a_question_whose_answer_breaks_off_is_not_asked_again_unseen(kubeflow, server, method, path):
    """KFP may have taken it: a run that is asked for twice is started twice."""
    where = (method, f"/apis/v2beta1{path}")
    server.faults = lambda *asked: "reset" if asked == where else None
    status, said = kubeflow("submit", "--no-follow")
    assert status == 1
    assert said.startswith(f"Expected Kubeflow Pipelines at {server.url}. Received: ")
    assert [request[:2] for request in server.requests].count(where) == 1


def test_what_is_there_is_found_behind_a_page_of_others(kubeflow, server):
    """KFP answers with a page of 20, so it has to be asked for the one by its name."""
    for number in range(30):
        for kept, kind in ((server.pipelines, "pipeline"), (server.experiments, "experiment")):
            name = str(uuid.uuid4())
            kept[name] = {f"{kind}_id": name, "display_name": f"other-{number}", "created_at": "2026-05-04T03:00:00Z"}
    assert kubeflow("submit", "--no-follow")[0] == 0
    assert kubeflow("submit", "--no-follow")[0] == 0
    assert (len(server.pipelines), len(server.experiments), len(server.runs)) == (31, 31, 2)


def test_a_failed_step_of_which_kfp_names_no_pod_is_looked_for_on_the_runs_page(kubeflow, server):
    server.frames = frames("run run failed", end="FAILED")
    server._node = lambda *node: {**KfpServer._node(server, *node), "pod_name": ""}
    status, said = kubeflow("submit", "--poll", "0.01")
    assert status == 1
    assert "Failed: Trainer: Workflow failed (there is none). Look there: the run's page\n" in said


@pytest.mark.parametrize("is_nested", [False, True])
def test_a_run_that_somebody_else_started_from_a_package_alone_is_shown_with_the_packages_name(kubeflow, server, is_nested):
    """KFP's SDK does so; a package with a platform's part comes back with the two side by side."""
    spec = yaml.safe_load(package())
    run = str(uuid.uuid4())
    kept = {"run_id": run, "display_name": "by hand", "created_at": "2026-05-04T03:00:00Z", "state": "PENDING", "experiment_id": "e"}
    kept["pipeline_spec"] = {"pipeline_spec": spec, "platform_spec": {"platforms": {}}} if is_nested else spec
    server.runs[run] = {"run": kept, "polls": 0}
    server.frames = frames("run run run run run")[1:]
    status, said = kubeflow("status", run)
    assert status == 0
    assert "Pushed tiny version 1777863642" in said


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("text/plain", "upstream connect error or disconnect/reset before headers.", "failed (503): upstream connect error or "),
        ("text/html", "<html><body>503</body></html>", "failed (503): Away."),
        ("application/json", "[]", "failed (503): []."),
        ("application/json", "{}", "failed (503): Away."),
    ],
)
def test_a_failure_that_is_not_told_as_kfp_tells_it_is_one_line_all_the_same(kubeflow, kind, body, said):
    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(503, "Away")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        threading.Thread(target=proxy.handle_request).start()
        status, text = kubeflow("status", "some-run", "--host", f"http://127.0.0.1:{proxy.server_port}")
    assert (status, text.count("\n")) == (1, 1)
    assert said in text


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_source_that_is_not_there_or_is_no_text_is_told_as_a_config(server, tmp_path, capsys, content):
    file = tmp_path / "source.yaml"
    if content:
        file.write_bytes(content)
    assert cli.main(["kubeflow", "submit", str(file)]) == 2
    assert "Expected" in capsys.readouterr().err
    assert server.requests == []


def test_without_a_host_the_option_and_the_usual_one_are_told(kubeflow, monkeypatch):
    monkeypatch.delenv("TAPELINE_KFP_HOST")
    status, said = kubeflow("status")
    assert status == 2
    assert said.startswith("Expected --host URL of Kubeflow Pipelines, or TAPELINE_KFP_HOST. Received: none. http://127.0.0.1:8888 is that")


def test_a_pause_that_is_no_number_is_refused(kubeflow, capsys):
    with pytest.raises(SystemExit, match="2"):
        kubeflow("status", "--poll", "soon")
    assert "expected seconds, like 2. Received: 'soon'" in capsys.readouterr().err


def test_the_certificates_that_the_environment_names_are_trusted_and_no_others(kubeflow, tmp_path, monkeypatch):
    certificate = _certificate(tmp_path)
    with _https(certificate) as server:
        monkeypatch.setenv("TAPELINE_KFP_HOST", server.url.replace("http:", "https:"))
        status, said = kubeflow("submit", "--no-follow")
        assert (status, server.runs) == (1, {})
        assert "Received: self-signed certificate" in said
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        status, said = kubeflow("submit", "--no-follow")
        assert (status, len(server.runs)) == (0, 1)


@contextlib.contextmanager
def _https(certificate):
    """A KFP behind TLS."""
    server = KfpServer()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server._http.socket = context.wrap_socket(server._http.socket, server_side=True, do_handshake_on_connect=False)
    server._http.handle_error = lambda *_: None  # of a client that does not trust it
    yield server
    server.close()


def _certificate(folder):
    """A PEM file with the key and the certificate of 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kfp")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - datetime.timedelta(days=1),
        not_valid_after=now + datetime.timedelta(days=1),
    )
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())
    file = folder / "server.pem"
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(pem + signed.public_bytes(serialization.Encoding.PEM))
    return file
