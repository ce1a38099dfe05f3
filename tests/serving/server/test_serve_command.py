"""`python -m serving.server` as a process: help, usage errors, busy ports, and one whole life from the first line to SIGTERM."""

import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from serving.client import Client
from serving.errors import NotFoundError, UnavailableError


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
        (["--port", "x"], "argument --port: expected an integer from 0 to 65535, received 'x'"),
        (["--model_name", "a/b"], "argument --model_name: expected a name without '/' and ':', received 'a/b'"),
        (["--file_system_poll_wait_seconds", "-1"], "expected seconds from 0 to 86400, received '-1'"),
    ],
)
def test_a_wrong_flag_says_what_was_expected(arguments, text):
    done = run("--model_base_path", "x", *arguments)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(text)


@pytest.mark.parametrize("flag", ["--port", "--rest_api_port"])
def test_a_busy_port_is_one_line_and_exit_2(tmp_path, flag):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run("--model_base_path", tmp_path, "--port", 0, "--rest_api_port", 0, flag, port)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"tapeline serve: port {port} of 127.0.0.1 is in use by another process; "
        f"stop that or choose another port, {flag} 0 picks a free one\n"
    )


def test_a_foreign_address_is_one_line_and_exit_2(tmp_path):
    done = run("--model_base_path", tmp_path, "--bind_address", "192.0.2.1")
    assert done.returncode == 2
    assert done.stderr.startswith("tapeline serve: cannot listen on '192.0.2.1': expected an IPv4 address of this machine")


class Server:
    """The process, and its lines as they come."""

    def __init__(self, *arguments):
        command = [sys.executable, "-m", "serving.server", *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.mark.slow  # TensorFlow in a process of its own, from start to end
def test_a_life_wrong_base_path_first_version_drain_and_not_one_line_too_many(tmp_path, write_version, png):
    write_version(tmp_path / "models" / "digits", 1, 1)
    base_path = tmp_path / "models"
    server = Server(
        *("--model_name", "digits", "--model_base_path", base_path, "--port", 0, "--rest_api_port", 0),
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
