"""Beside MLServer, BentoML and a FastAPI service, all serving the same SavedModel to the same lean client.

all under way -> the same answer from each -> rounds of closed loops, 8 and 64 callers, in turn
-> half of what the slowest does with 8 callers is the rate for all -> rounds of open loops at it, p99
"""

import base64
import contextlib
import json
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.serving import competitors, environments, inputs, servers
from benchmarks.serving.report import Part, at_least, at_most
from benchmarks.serving.settings import Settings
from benchmarks.serving.target import Target, grpc_target, http_target
from benchmarks.serving.timing import percentile
from benchmarks.serving.worker import Worker
from serving import prediction_pb2 as pb
from serving.tensors import write_tensor

OURS = ("tapeline gRPC", "tapeline REST")
_CALLERS = (8, 64)
_SHARE_OF_CAPACITY = 0.5


def measure(model_base_path: Path, settings: Settings) -> Part:
    """Requests a second with 8 and 64 callers, p50 and p99 at the same rate, and how far ahead of each competitor that is."""
    part = Part(
        "comparison", "one image a request", ("server", *(f"{callers} callers, requests/s" for callers in _CALLERS), "p50 ms", "p99 ms")
    )
    with _everyone(model_base_path, settings, part) as targets, Worker("benchmarks.serving.load_client") as client:
        _check_answers(client, targets)
        rates = {callers: _closed(client, targets, callers, settings) for callers in _CALLERS}
        rate = _SHARE_OF_CAPACITY * min(rates[_CALLERS[0]].values())
        latencies = _open(client, targets, rate, settings)
    part.title += f"; latencies at {rate:,.0f} requests a second"
    _rows(part, rates, latencies)
    return part


@contextlib.contextmanager
def _everyone(model_base_path: Path, settings: Settings, part: Part) -> Iterator[list[Target]]:
    """All servers that can be had, under way; a competitor that cannot be had is a note of the part."""
    with tempfile.TemporaryDirectory(prefix="tapeline-bench-") as folder, contextlib.ExitStack() as stack:
        targets = our_targets(stack.enter_context(servers.tapeline(model_base_path, *settings.server_flags)))
        for name in competitors.NAMES:
            try:
                binaries = environments.bring(name, settings.cache)
                version = servers.newest(model_base_path).absolute()
                targets += stack.enter_context(competitors.running(name, binaries, version, Path(folder) / name))
            except (environments.EnvironmentMissing, competitors.CompetitorFailed) as error:
                part.notes.append(str(error))
        yield targets


def our_targets(server: servers.Server) -> list[Target]:
    """One image to `tapeline serve` over gRPC and over REST."""
    request = pb.PredictRequest(model_spec=pb.ModelSpec(name=servers.MODEL_NAME, signature_name="predict_pixels"))
    write_tensor(inputs.pixels(1), request.inputs["pixels"], typed=False)
    body = {"signature_name": "predict_pixels", "instances": inputs.pixels(1).tolist()}
    return [
        grpc_target(OURS[0], server.grpc, "/tensorflow.serving.PredictionService/Predict", request.SerializeToString()),
        http_target(OURS[1], server.rest, f"/v1/models/{servers.MODEL_NAME}:predict", body),
    ]


def _check_answers(client: Worker, targets: Sequence[Target]) -> None:
    """Every HTTP server must give the same ten probabilities, or they do not serve the same model."""
    answers = {each.name: _probabilities(client.ask("once", target=each.to_json())) for each in targets if each.protocol == "http"}
    for name, probabilities in answers.items():
        if not np.allclose(probabilities, answers[OURS[1]], atol=1e-4):
            raise ValueError(f"Expected {name} to answer {answers[OURS[1]]}. Received: {probabilities}.")


def _probabilities(body: str) -> list[float]:
    """The only list of ten numbers in an answer, however deep."""
    waiting = [json.loads(base64.b64decode(body))]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list) and len(value) == 10 and all(isinstance(each, float) for each in value):
            return value
        waiting += value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    raise ValueError(f"Expected ten probabilities in the answer. Received: {base64.b64decode(body)[:300]!r}.")


def _closed(client: Worker, targets: Sequence[Target], callers: int, settings: Settings) -> dict[str, float]:
    """The median of the rounds' requests a second by server; the first round warms up."""
    seen = {target.name: [] for target in targets}
    for _ in range(settings.rounds + 1):
        for target in targets:
            seen[target.name].append(client.ask("closed", target=target.to_json(), callers=callers, seconds=settings.seconds))
    return {name: statistics.median(rates[1:]) for name, rates in seen.items()}


def _open(client: Worker, targets: Sequence[Target], rate: float, settings: Settings) -> dict[str, list[list[float]]]:
    """Latencies by server and round; each server gets the same arrivals."""
    seen = {target.name: [] for target in targets}
    for seed in range(settings.rounds):
        for target in targets:
            seen[target.name].append(client.ask("open", target=target.to_json(), rate=rate, seconds=2 * settings.seconds, seed=seed))
    return seen


def _rows(part: Part, rates: dict[int, dict[str, float]], latencies: dict[str, list[list[float]]]) -> None:
    """p99 is the median of the rounds' own: one hiccup of the machine is not the server's."""
    p50, p99 = (
        {name: statistics.median(percentile(each, share) for each in rounds) for name, rounds in latencies.items()} for share in (0.5, 0.99)
    )
    for name in latencies:
        part.add(name, *(f"{rates[callers][name]:,.0f}" for callers in _CALLERS), f"{1000 * p50[name]:.2f}", f"{1000 * p99[name]:.2f}")
    for ours in OURS:
        for name in (name for name in latencies if name not in OURS and _comparable(ours, name)):
            for callers in _CALLERS:
                part.judge(
                    f"{ours} against {name}: throughput, {callers} callers", rates[callers][ours] / rates[callers][name], at_least(1)
                )
            part.judge(f"{ours} against {name}: p99", p99[ours] / p99[name], at_most(1))


def _comparable(ours: str, theirs: str) -> bool:
    """Over gRPC we are held against everyone, over REST against those that speak HTTP."""
    return ours == OURS[0] or not theirs.endswith("gRPC")
