"""One image at a time over gRPC against calling the SavedModel's signature in-process.

both warm -> rounds: in-process, ours, plain servicer, in-process, ... -> p50 of each; the ratio is the median of the rounds' own
"""

import statistics
from pathlib import Path

from benchmarks.serving import servers
from benchmarks.serving.report import Part, at_most
from benchmarks.serving.settings import Settings
from benchmarks.serving.signatures import SIGNATURES
from benchmarks.serving.timing import percentile
from benchmarks.serving.worker import Worker

BAR = 1.8
_CALLS = 300  # a round and a side: about a third of a second


def measure(model_base_path: Path, settings: Settings) -> Part:
    """p50 in milliseconds and ratios, for both signatures."""
    version = servers.newest(model_base_path)
    part = Part("latency", "one image, one caller", ("signature", "side", "p50 ms", "p99 ms", "ratio of p50"))
    with (
        servers.tapeline(model_base_path, *settings.server_flags) as ours,
        servers.plain_grpc(version) as plain,
        Worker("benchmarks.serving.in_process", version) as in_process,
        Worker("benchmarks.serving.grpc_client", ours.grpc) as our_client,
        Worker("benchmarks.serving.grpc_client", plain.grpc) as plain_client,
    ):
        sides = {"in-process": in_process, "tapeline serve": our_client, "plain gRPC servicer": plain_client}
        for signature in SIGNATURES:
            seen = _take_turns(sides, signature, settings.rounds)
            _rows(part, signature, seen)
    return part


def _take_turns(sides: dict[str, Worker], signature: str, rounds: int) -> dict[str, list[list[float]]]:
    """Seconds of each call, by side and round."""
    seen: dict[str, list[list[float]]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, worker in sides.items():
            seen[side].append(worker.ask("latency", signature=signature, calls=_CALLS))
    return seen


def _rows(part: Part, signature: str, seen: dict[str, list[list[float]]]) -> None:
    reference = [percentile(calls, 0.5) for calls in seen["in-process"]]
    for side, rounds in seen.items():
        calls = [seconds for each in rounds for seconds in each]
        ratio = statistics.median(percentile(each, 0.5) / base for each, base in zip(rounds, reference, strict=True))
        p50, p99 = (1000 * percentile(calls, share) for share in (0.5, 0.99))
        part.add(signature, side, f"{p50:.3f}", f"{p99:.3f}", f"{ratio:.2f}")
        if side == "tapeline serve":
            part.judge(f"{signature}: p50 against in-process", ratio, at_most(BAR))
