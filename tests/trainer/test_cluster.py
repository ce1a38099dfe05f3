"""TF_CONFIG, and how workers wait for each other."""

import json
import socket
import threading

import pytest

from tests.trainer.workers import free_addresses
from trainer.cluster import Cluster, meet, missing, of_environment
from trainer.errors import ConfigError, TrainingError

TWO = {"worker": ["a:1", "b:2"]}


def of(cluster, kind="worker", index=0):
    return of_environment({"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})})


def test_the_first_worker_is_the_chief_where_none_is_named():
    assert of(TWO, index=1) == Cluster(("a:1", "b:2"), 1, ("worker 0", "worker 1"))


def test_a_chief_that_is_named_comes_first():
    cluster = of({"worker": ["a:1", "b:2"], "chief": ["c:3"]}, index=1)
    assert (cluster.addresses, cluster.number) == (("c:3", "a:1", "b:2"), 2)
    assert cluster.said(2) == "worker 1 at b:2"


@pytest.mark.parametrize(
    ("text", "received"),
    [
        (None, "none"),
        ("not JSON", "not JSON"),
        ("[]", "list indices"),
        ("{}", "no 'cluster'"),
        (json.dumps({"cluster": TWO}), "no 'task'"),
        (json.dumps({"cluster": {}, "task": {"type": "worker", "index": 0}}), "a worker or more"),
        (
            json.dumps({"cluster": TWO, "task": {"type": "worker", "index": 2}}),
            "the task worker 2, where the cluster has worker 0, worker 1",
        ),
        (json.dumps({"cluster": TWO, "task": {"type": "evaluator", "index": 0}}), "the task evaluator 0"),
        (json.dumps({"cluster": {**TWO, "ps": ["c:3"]}, "task": {"type": "worker", "index": 0}}), "tasks of the type ps"),
        (
            json.dumps({"cluster": {"worker": ["a", "b:2"]}, "task": {"type": "worker", "index": 0}}),
            "the address 'a', which is not HOST:PORT",
        ),
        (json.dumps({"cluster": {"worker": ["a:1", "a:1"]}, "task": {"type": "worker", "index": 0}}), "an address twice"),
    ],
)
def test_a_wrong_tf_config_is_one_line_with_an_example(text, received):
    with pytest.raises(ConfigError) as raised:
        of_environment({} if text is None else {"TF_CONFIG": text})
    line = str(raised.value)
    assert "\n" not in line
    assert line.startswith("Expected the environment variable TF_CONFIG to say who trains")
    assert received in line
    assert '"task": {"type": "worker", "index": 0}' in line


@pytest.mark.parametrize(("number", "expected"), [(0, "worker 1 at .* and worker 2 at "), (2, "worker 0 at ")])
def test_a_worker_that_does_not_come_is_named(number, expected):
    cluster = Cluster(tuple(free_addresses(3)), number, ("worker 0", "worker 1", "worker 2"))
    with pytest.raises(TrainingError, match=rf"^Expected {expected}[^\n]* within 0.005 minutes\. Received: no word\. [^\n]*$"):
        meet(cluster, 0.005)
    assert missing(cluster) == [each for each in range(3) if each != number]


def test_workers_that_come_in_any_order_and_among_strangers_meet():
    addresses, names = tuple(free_addresses(3)), ("worker 0", "worker 1", "worker 2")
    threads = [threading.Thread(target=meet, args=(Cluster(addresses, number, names), 1.0), daemon=True) for number in (2, 1, 0)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        try:
            with socket.create_connection(("127.0.0.1", int(addresses[0].rpartition(":")[2]))) as stranger:
                stranger.sendall(b"GET / HTTP/1.1\r\n")
            break
        except OSError:
            if not threads[-1].is_alive():
                break  # they have met already
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


def test_a_worker_of_another_cluster_ends_the_chief_with_both():
    first, second = free_addresses(2)
    raised = []

    def call():
        try:
            meet(Cluster((first, second), 0, ("worker 0", "worker 1")), 1.0)
        except ConfigError as error:
            raised.append(str(error))

    chief = threading.Thread(target=call, daemon=True)
    chief.start()
    with pytest.raises(TrainingError):
        meet(Cluster((first, "elsewhere:1"), 1, ("worker 0", "worker 1")), 0.05)
    chief.join(60)
    assert raised[0].startswith(f"Expected workers that all have the addresses {first}, {second}. Received: one with {first}, elsewhere:1.")


def test_a_port_that_is_taken_is_said():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(
            ConfigError, match=r"^Expected the port of worker 0 at .* to be free on this machine\. Received: Address already"
        ):
            meet(Cluster((address, "b:2"), 0, ("worker 0", "worker 1")), 0.05)
