"""Releases while a server is running: what clients get by label, before, meanwhile and afterwards."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture
def model(running):
    """A model of the test's own, with versions 1 and 2."""
    return running.add_one_more(1, 2)


@pytest.fixture
def at_server(release, running, model):
    """Called with a command: as `release`, for `model` and with the running server."""

    def call(*arguments):
        return release(*arguments, "--model_config_file", running.config, "--model_name", model, "--server", running.target.address)

    return call


def test_a_push_changes_nothing_until_it_is_promoted(at_server, running, model):
    from tests.serving.conformance.models import write_version

    assert at_server("promote", 2).status == 0
    assert running.serves(model, "stable") == 2
    write_version(running.config.parent / model, 3)
    running.add_one_more(1)  # returns when the server has looked at its files again
    assert (running.serves(model, "stable"), running.serves(model)) == (2, 2)
    answer = at_server("promote", "latest")
    assert (answer.status, running.serves(model, "stable")) == (0, 3)
    assert answer.out == f"stable of {model} is version 3, was 2. `tapeline release rollback` puts it on 2.\n"
    assert "  1 of 1 have it loaded\n" in answer.err
    assert answer.err.endswith("  1 of 1 answer to stable with version 3\n")


def test_a_rollback_is_one_command_and_loads_nothing(at_server, running, model):
    at_server("promote", 1)
    at_server("promote", 2)
    answer = at_server("rollback")
    assert (answer.status, running.serves(model, "stable")) == (0, 1)
    assert "Listed version" not in answer.err


def test_the_canary_answers_beside_stable(at_server, running, model, entry):
    at_server("promote", 1)
    assert at_server("promote", 2, "--label", "canary").status == 0
    assert (running.serves(model, "stable"), running.serves(model, "canary")) == (1, 2)
    assert at_server("promote", 2).status == 0
    assert (running.serves(model, "stable"), running.serves(model, "canary")) == (2, 2)
    assert entry(running.config, model) == ({"stable": 2, "canary": 2}, [1, 2])


def test_clients_of_stable_are_answered_all_the_while(at_server, running, model):
    at_server("promote", 1)
    seen, stop = [], threading.Event()

    def ask():
        while not stop.is_set():
            seen.append(running.serves(model, "stable"))

    caller = threading.Thread(target=ask)
    caller.start()
    try:
        answers = [at_server("promote", 2), at_server("rollback"), at_server("promote", 2)]
    finally:
        stop.set()
        caller.join()
    assert [answer.status for answer in answers] == [0, 0, 0]
    assert set(seen) == {1, 2}


def test_a_version_that_does_not_load_puts_the_config_back_and_stable_goes_on(at_server, running, model):
    from tests.serving.conformance.models import write_corrupt_version

    at_server("promote", 2)
    before = running.config.read_text()
    write_corrupt_version(running.config.parent / model, 3)
    answer = at_server("promote", 3)
    assert (answer.status, answer.out) == (1, "")
    last = answer.err.splitlines()[-1]
    assert last.startswith(f"Expected version 3 to load. Received from {running.target.address}: ")
    assert last.endswith("The config is as it was: stable is version 2.")
    assert running.config.read_text() == before
    assert running.serves(model, "stable") == 2


def test_a_version_that_failed_before_and_was_mended_is_not_refused_for_its_old_error(at_server, running, model):
    from tests.serving.conformance.models import write_corrupt_version, write_version

    at_server("promote", 2)
    corrupt = write_corrupt_version(running.config.parent / model, 3)
    assert at_server("promote", 3).status == 1
    whole = write_version(running.config.parent / model, "mended", 3)
    shutil.rmtree(corrupt)
    whole.rename(corrupt)
    assert at_server("promote", 3).status == 0
    assert running.serves(model, "stable") == 3


def test_a_server_that_does_not_follow_this_config_puts_it_back_when_the_time_is_over(release, running, model, tmp_path):
    copy = tmp_path / "nobody-polls-this.config"
    copy.write_text(running.config.read_text())
    options = ("--model_config_file", copy, "--model_name", model, "--server", running.target.address, "--timeout", "0.1")
    answer = release("promote", 1, *options)  # `latest` has loaded 2 alone
    assert answer.status == 1
    last = answer.err.splitlines()[-1]
    assert last.startswith("Expected version 1 to be available on every server within 0.1 s. Received: 127.0.0.1:")
    assert "Does the server poll this config" in last
    assert last.endswith("The config is as it was: there is no label stable.")
    assert copy.read_text() == running.config.read_text()


def test_a_server_that_does_not_answer_is_said_before_anything_is_changed(release, running, model):
    before = running.config.read_text()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        silent = f"127.0.0.1:{holder.getsockname()[1]}"
        targets = ("--server", running.target.address, "--server", silent, "--server", "no-such-name.invalid:8500")
        answer = release("promote", 2, "--model_config_file", running.config, "--model_name", model, *targets)
    assert (answer.status, answer.err.count("\n")) == (1, 1)
    assert f"Received: {silent} does not answer; no-such-name.invalid:8500 no such name (" in answer.err
    assert running.config.read_text() == before


def test_a_server_that_does_not_follow_the_label_is_named_when_the_time_is_over(release, running, model, tmp_path, entry):
    copy = tmp_path / "nobody-polls-this.config"
    copy.write_text(running.config.read_text())
    options = ("--model_config_file", copy, "--model_name", model, "--server", running.target.address, "--timeout", "0.1")
    answer = release("promote", 2, *options)  # which `latest` has loaded
    assert (answer.status, answer.out) == (1, "")
    last = answer.err.splitlines()[-1]
    assert last.startswith("The config says that stable is version 2, but not every server has followed within 0.1 s: 127.0.0.1:")
    assert "has no stable yet. It may still; a server that missed the step before needs a restart" in last
    assert entry(copy, model).labels == {"stable": 2}


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_stopped_while_it_waits_puts_the_config_back(running, model, tmp_path, ending):
    copy = tmp_path / "nobody-polls-this.config"
    copy.write_text(running.config.read_text())
    options = ("--model_config_file", copy, "--model_name", model, "--server", running.target.address)
    command = [sys.executable, "-m", "pipeline.cli", "release", "promote", "1", *options]
    process = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = [process.stderr.readline() for _ in range(2)]
    assert lines[0].startswith(f"Listed version 1 in {copy}; waiting")
    assert copy.read_text() != running.config.read_text()
    process.send_signal(ending)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "Stopped. The config is as it was: there is no label stable."
    assert copy.read_text() == running.config.read_text()


def test_of_two_releases_at_once_one_is_told_and_neither_is_undone(at_server, running, model, entry):
    """The other one writes while this one waits for a version that nobody has pushed yet."""
    from pipeline.release.config_file import ConfigFile
    from pipeline.release.errors import ReleaseError
    from pipeline.release.plan import moved
    from pipeline.release.served_config import ServedConfig
    from pipeline.release.steps import Move, Way, carry_out

    at_server("promote", 1)
    place = ConfigFile(running.config)
    snapshot = place.read()
    config = ServedConfig(snapshot.text, place.name)
    before = config.model(model)

    def tell(line):
        if line.startswith("Listed version 2"):
            assert at_server("promote", 2, "--label", "canary").status == 0

    with pytest.raises(ReleaseError, match="was changed by somebody else meanwhile: what they wrote is left as it is, and stable was not"):
        carry_out(Move(config, snapshot, before, moved(before, "stable", 2), "stable"), Way(place, [running.target.address], 60, tell))
    assert entry(running.config, model).labels == {"stable": 1, "canary": 2}


def test_a_label_moved_unseen_to_a_version_that_is_not_loaded_is_refused_by_the_server_and_seen_in_status(
    release, at_server, running, model
):
    """Why promote takes two steps: with one the server keeps the old config, and never loads the version."""
    from tests.serving.conformance.target import eventually

    at_server("promote", 1)
    release("promote", 2, "--model_config_file", running.config, "--model_name", model, "--no-wait")
    eventually(lambda: f"Request to assign label to version 2 of model {model}, which is not currently available" in running.log())
    status = json.loads(at_server("status", "--json").out)
    assert status["labels"] == {"stable": 2}
    assert status["servers"][running.target.address]["labels"] == {"stable": 1}
    assert "stable is still version 1; version 2: " in at_server("status").out
    assert at_server("rollback").status == 0
    assert at_server("promote", 2).status == 0
    assert running.serves(model, "stable") == 2


def test_status_shows_every_address_behind_a_name(release, at_server, running, model):
    at_server("promote", 1)
    at_server("promote", 2)
    port = running.target.address.rpartition(":")[2]
    options = ("--model_config_file", running.config, "--model_name", model)
    out = release("status", *options, "--server", f"ipv4:127.0.0.1:{port},127.0.0.2:1").out
    assert re.search(r"^stable +2 +1 of 2 answer with it$", out, re.MULTILINE)
    assert re.search(r"^rollback +1 +1 of 2 have it loaded$", out, re.MULTILINE)
    assert "127.0.0.2:1 does not answer\n" in out
    answer = release("status", *options, "--server", f"dns:///localhost:{port}", "--json")
    assert list(json.loads(answer.out)["servers"]) == [running.target.address]


@pytest.mark.slow  # a second server, from start to end
def test_a_label_does_not_move_before_every_server_has_the_version(running, tmp_path, entry):
    """The second server's config comes late, as a ConfigMap comes to one pod before another."""
    from tests.serving.conformance.own_server import started
    from tests.serving.conformance.target import eventually

    model = running.add_one_more(1, 2)
    late = tmp_path / "models.config"
    shutil.copy(running.config, late)
    flags = {"model_config_file": late, "model_config_file_poll_wait_seconds": 0.05, "allow_version_labels_for_unavailable_models": "true"}
    with started(tmp_path, flags) as (second, _):
        servers = (running.target, second)
        eventually(lambda: answers(second, model) == 2, 60)
        addresses = [f"--server={server.address}" for server in servers]
        command = [sys.executable, "-m", "pipeline.cli", "release", "promote", "1", "--model_config_file", str(running.config)]
        process = subprocess.Popen([*command, "--model_name", model, *addresses], cwd=CHECKOUT, stderr=subprocess.PIPE, text=True)
        seen = iter(process.stderr.readline, "")
        waiting = next(line for line in seen if line.startswith("  1 of 2 have it loaded"))
        assert waiting == f"  1 of 2 have it loaded; {second.address} does not know it yet\n"
        assert entry(running.config, model) == ({}, [1])
        while process.poll() is None:
            copy_whole(running.config, late)
        assert process.returncode == 0
        assert [answers(server, model, "stable") for server in servers] == [1, 1]


def answers(target, model, label=""):
    """The version that answers there, None where none does."""
    import grpc

    try:
        return target.version(model, label=label)
    except grpc.RpcError:
        return None


def copy_whole(source, target):
    copy = target.with_suffix(".new")
    shutil.copy(source, copy)
    copy.rename(target)
