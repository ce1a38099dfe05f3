"""What `tapeline release status` says beside its table: whatever is not as the config says, and what cannot be seen from here."""

import contextlib
import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from pipeline.release import servers


@pytest.fixture
def promote(release, config_file):
    """Called with versions: promotes them in `config_file`, unseen by any server."""

    def call(*versions):
        for version in versions:
            assert release("promote", version, "--model_config_file", config_file, "--no-wait").status == 0

    return call


def test_more_than_one_version_to_go_back_to_are_named_with_the_last_one_last(release, promote, config_file):
    promote(1, 2)
    assert "stable was" not in release("status", "--model_config_file", config_file).out
    promote(4)
    assert release("status", "--model_config_file", config_file).out.endswith("stable was, the last one last: 1, 2\n")


def test_a_base_path_that_cannot_be_read_from_here_is_said_and_its_versions_are_unknown(release, tmp_path):
    path = tmp_path / "models.config"
    path.write_text('model_config_list { config { name: "digits" base_path: "/models/digits" model_platform: "tensorflow" } }')
    out = release("status", "--model_config_file", path).out
    assert "/models/digits cannot be read from here: No such file or directory\n" in out
    answer = json.loads(release("status", "--model_config_file", path, "--json").out)
    assert (answer["pushed"], answer["newest_pushed"]) == (None, None)


def test_a_label_that_a_server_does_not_answer_to_is_told_with_what_the_server_says_of_its_version(release, running, tmp_path):
    model = running.add_one_more(1, 2)  # `latest` has loaded 2 alone
    copy = tmp_path / "nobody-polls-this.config"
    copy.write_text(running.config.read_text())
    options = ("--model_config_file", copy, "--model_name", model)
    assert release("promote", 1, *options, "--no-wait").status == 0
    address = running.target.address
    out = release("status", *options, "--server", address).out
    assert f"{address}: stable answers nothing; version 1: does not know it yet\n" in out
    assert re.search(r"^newest push +2 +1 of 1 have it loaded$", out, re.MULTILINE)


def test_a_server_that_has_never_heard_of_the_model_is_no_trouble_and_has_no_version(release, promote, config_file, running):
    promote(3)
    address = running.target.address
    answer = json.loads(release("status", "--model_config_file", config_file, "--server", address, "--json").out)
    assert answer["servers"] == {address: {"versions": {}, "labels": {}}}
    assert servers.look([address], "digits")[0].state(3) == "does not know it yet"


def test_a_server_that_cannot_be_asked_has_its_error_in_the_json(release, config_file):
    with _nobody() as address:
        answer = release("status", "--model_config_file", config_file, "--server", address, "--json")
    assert (answer.status, json.loads(answer.out)["servers"]) == (0, {address: {"error": "does not answer"}})


def test_a_server_that_accepts_and_says_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr(servers, "_DEADLINE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        [look] = servers.look([f"127.0.0.1:{silent.getsockname()[1]}"], "digits")
    assert look.trouble == "does not answer within 0.2 s"


def test_a_server_of_something_else_is_told_in_its_own_words():
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    [look] = servers.look([f"127.0.0.1:{port}"], "digits")
    server.stop(None).wait()
    assert "Method not found" in look.trouble
    assert look.state(1) == look.trouble
    assert not look.has(1)


@contextlib.contextmanager
def _nobody():
    """The address of a port that is taken and on which nobody listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{holder.getsockname()[1]}"
