"""Between gRPC clients and the model server on GKE: predictions pass, what changes the server does not."""

import re
import shutil
import socket
import subprocess
from concurrent import futures

import grpc
import pytest

from tests.k8s.render import containers

GATE = "grpc-gate"


def gate_of(manifests):
    (container,) = [one for one in containers(manifests.serving["spec"]["template"]) if one["name"] == GATE]
    return container


def config_of(manifests):
    (name,) = [name for name in manifests.names("ConfigMap") if name.startswith("tapeline-grpc-gate-")]
    return manifests.one("ConfigMap", name)["data"]["grpc-gate.conf"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def model_server():
    """A gRPC server that answers every method with the method's name."""

    class Echo(grpc.GenericRpcHandler):
        def service(self, details):
            return grpc.unary_unary_rpc_method_handler(lambda request, context: details.method.encode())

    unbounded = [("grpc.max_receive_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Echo()], options=unbounded)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None).wait()


@pytest.fixture
def call(gke, tmp_path, model_server):
    """call("/service/Method", payload) -> bytes, through a real nginx with the overlay's file."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not nginx:
        pytest.skip("needs nginx: apt install nginx-light")
    port = free_port()
    text = config_of(gke).replace("/tmp/", f"{tmp_path}/").replace("127.0.0.1:8510", f"127.0.0.1:{model_server}")  # noqa: S108 - the pod's
    version = tuple(map(int, re.findall(r"nginx/(\d+)\.(\d+)", subprocess.run([nginx, "-v"], capture_output=True, text=True).stderr)[0]))
    listen = f"listen 127.0.0.1:{port};" if version >= (1, 25) else f"listen 127.0.0.1:{port} http2;"
    text = text.replace("listen 8500;", listen)
    if version < (1, 25):  # which has no directive of that name yet
        text = text.replace("http2 on;", "")
    file = tmp_path / "gate.conf"
    file.write_text(text)
    process = subprocess.Popen([nginx, "-c", str(file), "-g", "daemon off;"], stderr=subprocess.PIPE, text=True)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        grpc.channel_ready_future(channel).result(timeout=30)
        yield lambda method, payload=b"": channel.unary_unary(method)(payload, timeout=30)
    process.terminate()
    process.communicate()


def test_predictions_and_status_reach_the_server(call):
    for method in ("PredictionService/Predict", "PredictionService/GetModelMetadata", "ModelService/GetModelStatus"):
        assert call(f"/tensorflow.serving.{method}", b"x" * 5_000_000) == f"/tensorflow.serving.{method}".encode()


@pytest.mark.parametrize(
    "method",
    [
        "/tensorflow.serving.ModelService/HandleReloadConfigRequest",
        "/tensorflow.serving.ModelService//HandleReloadConfigRequest",
        "/tensorflow.serving.PredictionService/../ModelService/HandleReloadConfigRequest",
        "/tensorflow.serving.ModelService/%48andleReloadConfigRequest",
        "/tensorflow.ProfilerService/Profile",
    ],
)
def test_what_changes_or_exposes_the_server_is_refused(call, method):
    with pytest.raises(grpc.RpcError) as refused:
        call(method)
    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert "ConfigMap tapeline-models" in refused.value.details()


def test_clients_reach_the_gate_and_not_the_servers_own_port(gke):
    (rule,) = gke.one("NetworkPolicy", "allow-clients", "tapeline-serving")["spec"]["ingress"]
    (port,) = gate_of(gke)["ports"]
    assert (port["name"], port["containerPort"]) == ("grpc", 8500)
    own = {port["name"]: port["containerPort"] for port in gke.server["ports"]}
    assert {port["port"] for port in rule["ports"]} & own.keys() == {"rest"}
    assert f"server 127.0.0.1:{own['grpc-model']};" in config_of(gke)


def test_the_gate_goes_when_the_server_goes(gke):
    sleep = gate_of(gke)["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert sleep == gke.server["lifecycle"]["preStop"]["sleep"]["seconds"]
    (age,) = re.findall(r"keepalive_time (\d+)s;", config_of(gke))
    assert int(age) < sleep, "every connection must have been renewed, elsewhere, by then"


def test_the_gates_file_is_the_one_that_it_reads(gke):
    container = gate_of(gke)
    (mount,) = [mount for mount in container["volumeMounts"] if mount["name"] == "gate"]
    assert f"{mount['mountPath']}/grpc-gate.conf" in container["command"]
