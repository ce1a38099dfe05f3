"""`python -m serving.server` as a process: help, usage errors, busy ports, and whole lives from the first line to SIGTERM."""

import collections
import contextlib
import http.client
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import pytest
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub

from serving.client import Client
from serving.errors import NotFoundError, ServingError, UnavailableError

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "serving.md"


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "serving.server", *map(str, arguments)], capture_output=True, text=True, timeout=60)


def test_help_and_usage_errors_import_neither_tensorflow_nor_grpc():
    code = "import sys; from serving.server.__main__ import main; print(main({}), *{{'tensorflow', 'grpc', 'numpy'}} & set(sys.modules))"
    for argument, status in (("['--help']", 0), ("[]", 2)):
        done = subprocess.run([sys.executable, "-c", code.format(argument)], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == str(status)
        assert "usage: tapeline serve" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--port", "x"], "argument --port: expected a port from 1 to 65535, 0 for none, or auto for a free one, received 'x'"),
        (["--model_name", "a/b"], "argument --model_name: expected a name without '/' and ':', received 'a/b'"),
        (["--file_system_poll_wait_seconds", "-1"], "expected seconds from 0 to 86400, received '-1'"),
        (["--model_config_file_poll_wait_seconds=x"], "expected seconds from 0 to 86400, received 'x'"),
        (["--max_num_load_retries=-1"], "expected an integer from 0 to 9007199254740992, received '-1'"),
        (["--grpc_max_threads", "0"], "expected an integer from 1 to 65536, received '0'"),
        (["--enable_model_warmup=maybe"], "argument --enable_model_warmup: expected true or false, received 'maybe'"),
        (["--request_log_sampling_rate", "2"], "expected a share from 0 to 1, received '2'"),
        (["--enable_batching=false", "--batching_parameters_file=x"], "is set without setting --enable_batching to true"),
        (["--rest_api_port=65536"], "expected a port from 1 to 65535, 0 for none, or auto for a free one, received '65536'"),
        (["--use_alts_credentials"], "the port would be open to everybody: expected --ssl_config_file, or false"),
        (["--grpc_channel_arguments=a"], "argument --grpc_channel_arguments: expected NAME=VALUE[,NAME=VALUE...], received 'a'"),
        (["--batching_parameters_file=x"], "is set without setting --enable_batching to true"),
    ],
)
def test_a_wrong_flag_says_what_was_expected(arguments, text):
    done = run("--model_base_path", "x", *arguments)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(text)


@pytest.mark.parametrize(("folder", "sign"), [("a[old]", "["), ("a\\b", "\\")])
def test_a_folder_that_tensorflow_would_take_for_a_pattern_is_refused_at_once_with_the_sign(tmp_path, folder, sign):
    done = run("--model_name", "digits", "--model_base_path", tmp_path / folder)
    assert done.returncode == 2
    assert done.stderr == (
        "tapeline serve: Expected model digits to have a base_path without [ \\, which TensorFlow takes for patterns; "
        f"got {tmp_path / folder}, with '{sign}'. Rename the folder\n"
    )


def test_neither_a_folder_nor_a_config_file_is_a_usage_error():
    done = run("--model_name", "digits")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("expected --model_base_path DIR, or --model_config_file FILE for several models")


@pytest.mark.parametrize(
    ("flag", "content", "text"),
    [
        ("--model_config_file", "model_config_list {", "is no ModelServerConfig"),
        ("--model_config_file", None, "cannot be read: No such file or directory"),
        (
            "--model_config_file",
            "model_config_list { config { name: 'a' base_path: 'b' } }",
            "Expected model a to have an absolute path or URI",
        ),
        ("--batching_parameters_file", "max_batch_size: many", "is no BatchingParameters ("),
        ("--batching_parameters_file", None, "--batching_parameters_file {path} cannot be read: No such file or directory"),
        ("--monitoring_config_file", None, "--monitoring_config_file {path} cannot be read: No such file or directory"),
        ("--ssl_config_file", None, "--ssl_config_file {path} cannot be read: No such file or directory"),
        ("--ssl_config_file", "server_ky: 'a'", "is no SSLConfig (1:1 : "),
        ("--monitoring_config_file", "prometheus_config: yes", "is no MonitoringConfig"),
        ("--ssl_config_file", "server_key: 'nothing'", "server_key is neither PEM text nor a file that can be read"),
    ],
)
def test_a_wrong_file_is_one_line_and_exit_2_without_tensorflow_and_grpc(tmp_path, flag, content, text):
    path = tmp_path / "file"
    if content is not None:
        path.write_text(content)
    code = (
        "import sys; from serving.server.__main__ import main; status = main(sys.argv[1:]);"
        "print(status, *{'tensorflow', 'grpc'} & set(sys.modules))"
    )
    arguments = ["--enable_batching", "--model_base_path=x", f"{flag}={path}"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout == "2\n"
    assert done.stderr.startswith("tapeline serve: ")
    assert (done.stderr.count("\n"), text.replace("{path}", str(path)) in done.stderr) == (1, True)


@pytest.mark.parametrize("flag", ["--port", "--rest_api_port"])
def test_a_busy_port_is_one_line_and_exit_2(tmp_path, flag):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run("--model_base_path", tmp_path, "--port", "auto", "--rest_api_port", "auto", flag, port)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"tapeline serve: port {port} of 127.0.0.1 is in use by another process; "
        f"stop that or choose another port, {flag} auto picks a free one\n"
    )


def test_a_foreign_address_is_one_line_and_exit_2(tmp_path):
    done = run("--model_base_path", tmp_path, "--bind_address", "192.0.2.1")
    assert done.returncode == 2
    assert done.stderr.startswith("tapeline serve: cannot listen on '192.0.2.1': expected an IPv4 or IPv6 address of this machine")


def test_a_socket_that_cannot_be_is_one_line_and_exit_2(tmp_path):
    path = tmp_path / "none" / "socket"
    done = run("--model_base_path", tmp_path, "--port=0", "--rest_api_port=auto", "--grpc_socket_path", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"tapeline serve: --grpc_socket_path: expected a path of 107 bytes at most, in a folder that is there. Received: {path}\n"
    )


def test_a_busy_port_of_an_ipv6_address_is_said_as_well(tmp_path):
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as other:
        port = other.getsockname()[1]
        done = run("--model_base_path", tmp_path, "--bind_address", "::1", "--port", port)
    assert done.stderr.startswith(f"tapeline serve: port {port} of ::1 is in use by another process; ")


class Server:
    """The process, and its lines as they come."""

    def __init__(self, *arguments, cwd=None, **environment):
        command = [sys.executable, "-m", "serving.server", *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **{name: str(value) for name, value in environment.items()}}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd, env=environment)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.mark.slow  # TensorFlow in a process of its own, from start to end
def test_a_life_wrong_base_path_first_version_drain_and_not_one_line_too_many(tmp_path, write_version, png):
    write_version(tmp_path / "models" / "digits", 1, 1)
    base_path = tmp_path / "models"
    server = Server(
        *("--model_name", "digits", "--model_base_path", base_path, "--port", "auto", "--rest_api_port", "auto"),
        *("--file_system_poll_wait_seconds", 0.05),
    )
    try:
        stderr, stdout = server.process.stderr, server.process.stdout
        assert stderr.readline() == f"Loading TensorFlow, then digits from {base_path}\n"
        assert stderr.readline() == f"Waiting for a version of digits in {base_path}: did you mean --model_base_path {base_path}/digits?\n"
        write_version(base_path, 3, 3)
        line = stdout.readline()
        address = line.removeprefix("digits version 3 serves: gRPC ").partition(",")[0]
        assert line.startswith(f"digits version 3 serves: gRPC {address}, REST http://127.0.0.1:")
        with Client(address, model_name="digits") as client:
            assert client.predict_images([png(0)]).classes.tolist() == [3]
            _check_drain(client, server.process, tmp_path)
        assert server.process.wait(timeout=60) == 0
        assert (stdout.read(), stderr.read()) == ("", "")
    finally:
        server.end()


@pytest.mark.slow  # TensorFlow in a process of its own
def test_what_the_environment_says_of_keras_counts_for_nothing_and_the_home_folder_stays_as_it_is(tmp_path):
    home, base_path = tmp_path / "home", tmp_path / "models"
    home.mkdir()
    base_path.mkdir()
    arguments = ("--model_base_path", base_path, "--port", 0, "--rest_api_port", 0)
    server = Server(*arguments, KERAS_BACKEND="nonsense", TF_USE_LEGACY_KERAS=1, HOME=home)
    try:
        assert server.process.stderr.readline() == f"Loading TensorFlow, then default from {base_path}\n"
        assert server.process.stderr.readline().startswith(f"Waiting for a version of default in {base_path}: ")
        assert list(home.iterdir()) == []
    finally:
        server.end()


@pytest.mark.slow  # TensorFlow in a process of its own, from start to end
def test_a_life_with_a_config_file_on_an_ipv6_address_and_nobody_is_cancelled_at_its_end(tmp_path, write_version):
    for name, constant in (("digits", 1), ("more", 4)):
        write_version(tmp_path / name, 1, constant)
    path = tmp_path / "models.config"
    path.write_text(_config(tmp_path, "digits"))
    server = Server(
        *(
            "--model_config_file",
            path,
            "--model_config_file_poll_wait_seconds=0.05",
            "--bind_address=::1",
            "--port=auto",
            "--rest_api_port=auto",
        ),
        "--allow_reload_requests=false",
    )
    try:
        stderr, stdout = server.process.stderr, server.process.stdout
        assert stderr.readline() == f"Loading TensorFlow, then the models of {path}\n"
        serves = re.fullmatch(
            r"digits version 1 serves: gRPC (\[::1\]:\d+), REST http://\[::1\]:(\d+)/v1/models/digits\n", stdout.readline()
        )
        with grpc.insecure_channel(serves[1]) as channel, pytest.raises(grpc.RpcError) as refused:
            ModelServiceStub(channel).HandleReloadConfigRequest(ReloadConfigRequest(), timeout=60)
        assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
        path.write_text("model_config_list { config { name: 'more' } }")
        assert stderr.readline() == "The models stay as they are: Expected model more to have an absolute path or URI; got base_path()=\n"
        path.write_text(_config(tmp_path, "digits", "more"))
        assert stdout.readline().startswith("more version 1 serves: gRPC [::1]:")
        seen = _ask_while_it_ends(server.process, serves[1], int(serves[2]))
        assert server.process.returncode == 0
        assert set(seen) <= {"OK", "UNAVAILABLE", 200, 503, "nobody listens"}
    finally:
        server.end()


@pytest.mark.slow  # TensorFlow in a process of its own, from start to end
def test_the_example_of_the_page_starts_as_it_stands(tmp_path, write_version):
    page = PAGE.read_text(encoding="utf-8")
    (command,) = re.findall(r"^tapeline serve (.*--model_config_file models\.config.*)$", page, re.MULTILINE)
    example = re.search(r"```\n# models\.config\n.*?```", page, re.DOTALL)[0].strip("`")
    for version in (3, 4):
        write_version(tmp_path / "digits", version, version)
    (tmp_path / "models.config").write_text(example.replace("/srv/models/digits", str(tmp_path / "digits")))
    server = Server(*shlex.split(command), "--port=auto", "--rest_api_port=auto", cwd=tmp_path)
    try:
        lines = [server.process.stdout.readline() for _ in range(2)]
        assert [line.partition(" serves: ")[0] for line in lines] == ["digits version 3", "digits version 4"]
        with Client(lines[0].split("gRPC ")[1].partition(",")[0], model_name="digits") as client:
            for label, version in (("stable", 3), ("canary", 4)):
                assert client.predict_images([], version_label=label).version == version
        server.process.terminate()
        assert server.process.wait(timeout=60) == 0
        assert server.process.stderr.read() == "Loading TensorFlow, then the models of models.config\n"
    finally:
        server.end()


@pytest.mark.slow  # TensorFlow in a process of its own, from start to end
def test_a_command_line_of_the_real_server_starts_and_says_what_has_no_effect(tmp_path, write_version):
    write_version(tmp_path / "digits", 1, 1)
    given = ["--rest_api_timeout_in_ms=30000", "--rest_api_num_threads=8", "--grpc_channel_arguments=grpc.max_connection_age_ms=20000"]
    given += ["--flush_filesystem_caches=false", "--rest_api_port=0", "--port=auto", "--grpc_socket_path=socket"]
    server = Server("--model_name=digits", f"--model_base_path={tmp_path}/digits", *given, cwd=tmp_path)
    try:
        where = re.fullmatch(r"digits version 1 serves: gRPC (127\.0\.0\.1:\d+), no REST\n", server.process.stdout.readline())
        for address in (where[1], f"unix:{tmp_path}/socket"):
            with Client(address, model_name="digits") as client:
                assert client.predict_images([]).version == 1
        server.process.terminate()
        assert server.process.wait(timeout=60) == 0
        assert server.process.stderr.read().splitlines() == [
            "tapeline serve: --rest_api_num_threads has no effect here: both ports answer in one event loop",
            "tapeline serve: --flush_filesystem_caches has no effect here: nothing is flushed after a load",
            f"Loading TensorFlow, then digits from {tmp_path}/digits",
        ]
    finally:
        server.end()


@pytest.mark.slow  # TensorFlow in a process of its own, from start to end
def test_without_a_port_for_grpc_rest_answers_alone(tmp_path, write_version):
    write_version(tmp_path / "digits", 1, 1)
    server = Server("--model_name=digits", f"--model_base_path={tmp_path}/digits", "--port=0", "--rest_api_port=auto")
    try:
        line = server.process.stdout.readline()
        where = re.fullmatch(r"digits version 1 serves: no gRPC, REST http://(127\.0\.0\.1:\d+)(/v1/models/digits)\n", line)
        with contextlib.closing(http.client.HTTPConnection(where[1], timeout=60)) as connection:
            connection.request("GET", where[2])
            assert connection.getresponse().status == 200
        server.process.terminate()
        assert server.process.wait(timeout=60) == 0
    finally:
        server.end()


def _config(folder, *names):
    entries = (f'config {{ name: "{name}" base_path: "{folder}/{name}" model_platform: "tensorflow" }}' for name in names)
    return f"model_config_list {{ {' '.join(entries)} }}"


def _ask_while_it_ends(process, grpc_address, rest_port):
    """What callers of both ports get, from before SIGTERM to the end of the process, by code."""
    seen, answered = collections.Counter(), threading.Semaphore(0)

    def ask_grpc():
        with Client(grpc_address, model_name="digits") as client:
            while process.poll() is None:
                try:
                    client.status()
                    seen["OK"] += 1
                    answered.release()
                except ServingError as error:
                    seen[error.code] += 1

    def ask_rest():
        while process.poll() is None:
            connection = http.client.HTTPConnection("::1", rest_port, timeout=60)
            try:
                connection.request("GET", "/v1/models/digits")
                seen[connection.getresponse().status] += 1
                answered.release()
            except (OSError, http.client.HTTPException):
                seen["nobody listens"] += 1
            finally:
                connection.close()

    callers = [threading.Thread(target=ask) for ask in (ask_grpc, ask_grpc, ask_rest, ask_rest)]
    for caller in callers:
        caller.start()
    for _ in range(50):
        answered.acquire(timeout=60)
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    for caller in callers:
        caller.join()
    return seen


def _check_drain(client, process, folder):
    """The request in flight is answered after SIGTERM, a new one is refused."""
    here, there = folder / "here", folder / "there"
    os.mkfifo(here)
    os.mkfifo(there)
    answers = []
    names = {"here": str(here).encode(), "there": str(there).encode()}
    caller = threading.Thread(target=lambda: answers.append(client.predict(names, "meet")["constant"].tolist()))
    caller.start()
    assert here.read_text() == "in flight"
    process.send_signal(signal.SIGTERM)
    refused = None
    while refused is None:  # until the signal has been handled, requests are still answered
        try:
            client.status()
        except UnavailableError as error:
            refused = error
    assert answers == []
    assert there.read_text() == "answered"
    caller.join()
    assert answers == [3]


def test_an_unserved_name_is_not_found_by_the_client(served):
    with Client(served.grpc, model_name="nobody") as client, pytest.raises(NotFoundError, match=r"Latest\(nobody\)"):
        client.predict({})
