"""The workers of one training, as `TF_CONFIG` names them, and how they wait for each other before TensorFlow is asked to connect them.

TF_CONFIG -> its addresses, the chief's first -> the chief listens at its own address, the others tell it that they are there -> go on

TensorFlow's own waiting goes on for longer than it is told, keeps Python from running and takes no SIGTERM (docs/adr/0049), so it must
find everybody there.
"""

import contextlib
import json
import socket
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from trainer.errors import ConfigError, TrainingError

VARIABLE = "TF_CONFIG"
_JOBS = ("chief", "worker")
_EXAMPLE = '{"cluster": {"worker": ["HOST:PORT", "HOST:PORT"]}, "task": {"type": "worker", "index": 0}}'
_SAME = f"Set `{VARIABLE}` to the same cluster on every worker, and to a `task` of its own on each: {_EXAMPLE}."
_PAUSE = 0.2  # seconds between two tries to reach the chief
_LONGEST = 65_536  # bytes of what a worker says


class Cluster(NamedTuple):
    """Who trains together.

    Attributes:
      addresses: HOST:PORT of each worker, the chief's first.
      number: this worker's own place among them.
      names: what TF_CONFIG calls each, `worker 0`.
    """

    addresses: tuple[str, ...]
    number: int
    names: tuple[str, ...]

    def said(self, number: int) -> str:
        """`worker 1 at HOST:PORT`."""
        return f"{self.names[number]} at {self.addresses[number]}"


def of_environment(environ: Mapping[str, str]) -> Cluster:
    """What TF_CONFIG says.

    Raises:
      ConfigError: it is not there, or TensorFlow would fail with it, or wait for ever.
    """
    if VARIABLE not in environ:
        raise _wrong("none")
    try:
        said = json.loads(environ[VARIABLE])
        jobs, task = said["cluster"], said["task"]
        addresses = {job: tuple(jobs[job]) for job in _JOBS if job in jobs}
        kind, index = task["type"], int(task["index"])
        others = sorted(set(jobs) - set(_JOBS))
    except (ValueError, KeyError, TypeError) as error:
        missing = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise _wrong(f"{environ[VARIABLE][:200]!r} ({missing})") from None
    if others:
        raise _wrong(f"tasks of the type {', '.join(others)}, which only other strategies have")
    if len(addresses.get("chief", ())) > 1 or not addresses.get("worker"):
        raise _wrong(
            f"{ {job: len(of) for job, of in addresses.items()} } addresses, where there is a worker or more and at most one chief"
        )
    names = [f"{job} {number}" for job in _JOBS for number in range(len(addresses.get(job, ())))]
    everybody = tuple(address for job in _JOBS for address in addresses.get(job, ()))
    for address in everybody:
        host, _, port = address.rpartition(":") if isinstance(address, str) else ("", "", "")
        if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
            raise _wrong(f"the address {address!r}, which is not HOST:PORT")
    if len(set(everybody)) < len(everybody):
        raise _wrong(f"an address twice: {', '.join(everybody)}")
    if f"{kind} {index}" not in names:
        raise _wrong(f"the task {kind} {index}, where the cluster has {', '.join(names)}")
    return Cluster(everybody, names.index(f"{kind} {index}"), tuple(names))


def is_helper(environ: Mapping[str, str]) -> bool:
    """Whether this process is a worker that is not the chief, who leaves nothing; a TF_CONFIG that says nothing clear makes none."""
    with contextlib.suppress(ConfigError):
        return of_environment(environ).number > 0
    return False


def meet(cluster: Cluster, minutes: float) -> None:
    """Returns when all workers are there.

    Raises:
      ConfigError: this worker's port is taken, or another one has another TF_CONFIG. TrainingError: somebody has not come in time.
    """
    until = time.monotonic() + 60 * minutes
    (_call if cluster.number == 0 else _answer)(cluster, until, minutes)


def missing(cluster: Cluster) -> list[int]:
    """The numbers of the other workers that nobody answers for at their addresses."""
    return [number for number in range(len(cluster.addresses)) if number != cluster.number and not _listens(cluster.addresses[number])]


def _call(cluster: Cluster, until: float, minutes: float) -> None:
    own = cluster.addresses[0]
    with contextlib.ExitStack() as opened:
        try:
            server = opened.enter_context(socket.create_server(_interface(own)))
        except OSError as error:
            raise ConfigError(
                f"Expected the port of {cluster.said(0)} to be free on this machine. Received: {error.strerror}. "
                f"End what listens there, or give the worker another port in `{VARIABLE}`."
            ) from None
        here: dict[int, socket.socket] = {}
        while len(here) < len(cluster.addresses) - 1:
            server.settimeout(max(0.001, until - time.monotonic()))
            try:
                connection = opened.enter_context(server.accept()[0])
                connection.settimeout(max(0.001, min(5.0, until - time.monotonic())))
                said: Any = json.loads(connection.makefile("rb").readline(_LONGEST))
                number, addresses = int(said["number"]), tuple(said["addresses"])
            except (OSError, ValueError, KeyError, TypeError):
                if time.monotonic() >= until:
                    raise _late(cluster, [each for each in range(1, len(cluster.addresses)) if each not in here], minutes) from None
                continue  # not one of ours
            if addresses != cluster.addresses or not 0 < number < len(addresses):
                raise ConfigError(
                    f"Expected workers that all have the addresses {', '.join(cluster.addresses)}. "
                    f"Received: one with {', '.join(map(str, addresses))[:200]}. {_SAME}"
                )
            here[number] = connection
        for connection in here.values():
            with contextlib.suppress(OSError):
                connection.sendall(b"go\n")


def _answer(cluster: Cluster, until: float, minutes: float) -> None:
    host, _, port = cluster.addresses[0].rpartition(":")
    said = json.dumps({"number": cluster.number, "addresses": cluster.addresses}).encode() + b"\n"
    while (left := until - time.monotonic()) > 0:
        with contextlib.suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), timeout=left) as connection:
            connection.sendall(said)
            if connection.makefile("rb").readline(_LONGEST) == b"go\n":
                return
        time.sleep(_PAUSE)
    raise _late(cluster, [0], minutes)


def _interface(address: str) -> tuple[str, int]:
    """Where to listen for the others: at loopback alone where the address is of it, else wherever this machine is reached by its name."""
    host, _, port = address.rpartition(":")
    return (host if host == "localhost" or host.startswith("127.") else "", int(port))


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=2.0).close()
    except OSError:
        return False
    return True


def _late(cluster: Cluster, numbers: list[int], minutes: float) -> TrainingError:
    return TrainingError(
        f"Expected {' and '.join(cluster.said(number) for number in numbers)} within {minutes:g} minutes. Received: no word. "
        f"Start all workers within `trainer.workers_minutes`, with the same cluster in `{VARIABLE}`, where they can reach each other."
    )


def _wrong(received: str) -> ConfigError:
    return ConfigError(
        f"Expected the environment variable {VARIABLE} to say who trains, for `trainer.strategy: multi_worker`. Received: {received}. "
        f"{_SAME}"
    )
