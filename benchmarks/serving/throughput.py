"""Images a second of many callers over gRPC against the in-process loop at batch 1.

rounds: in-process one by one -> 64 callers of one image -> 8 callers of 32 -> in-process at batch 64; threads, then asyncio
"""

import importlib.util
import statistics
from collections.abc import Callable
from pathlib import Path

from benchmarks.serving import servers
from benchmarks.serving.report import Part, at_least
from benchmarks.serving.settings import Settings
from benchmarks.serving.signatures import SIGNATURES
from benchmarks.serving.worker import Worker

BARS = {"64 callers of 1 image": 1.5, "8 callers of 32 images": 6.0}
_LOADS = {"64 callers of 1 image": (64, 1), "8 callers of 32 images": (8, 32)}
_CLIENTS = {"threads": "Client, threads", **({"aio": "AsyncClient"} if importlib.util.find_spec("serving.aio_client") else {})}
_REFERENCE = "in-process, batch 1"


def measure(model_base_path: Path, settings: Settings) -> Part:
    """Images a second and ratios, for both signatures and both clients; the better client counts."""
    part = Part("throughput", "images a second", ("signature", "side", "images/s", "ratio"))
    with (
        servers.tapeline(model_base_path, *settings.server_flags) as ours,
        Worker("benchmarks.serving.in_process", servers.newest(model_base_path)) as in_process,
        Worker("benchmarks.serving.grpc_client", ours.grpc) as client,
    ):
        for signature in SIGNATURES:
            sides = _sides(in_process, client, signature, settings.seconds)
            for measure_side in sides.values():  # the first turn fills caches and traces batch sizes
                measure_side()
            seen = [{name: measure_side() for name, measure_side in sides.items()} for _ in range(settings.rounds)]
            _rows(part, signature, seen)
    return part


def _sides(in_process: Worker, client: Worker, signature: str, seconds: float) -> dict[str, Callable[[], float]]:
    def alone(rows: int) -> Callable[[], float]:
        return lambda: in_process.ask("throughput", signature=signature, rows=rows, seconds=seconds)

    def served(method: str, callers: int, rows: int) -> Callable[[], float]:
        return lambda: client.ask(method, signature=signature, rows=rows, callers=callers, seconds=seconds)

    many = {f"{load}, {way}": served(method, *_LOADS[load]) for load in _LOADS for method, way in _CLIENTS.items()}
    return {_REFERENCE: alone(1), **many, "in-process, batch 64": alone(64)}


def _rows(part: Part, signature: str, seen: list[dict[str, float]]) -> None:
    """Ratios are the medians of the rounds' own, so that a busy minute of the machine falls on both sides."""
    ratios = {}
    for side in seen[0]:
        ratios[side] = statistics.median(each[side] / each[_REFERENCE] for each in seen)
        part.add(signature, side, f"{statistics.median(each[side] for each in seen):,.0f}", f"{ratios[side]:.2f}")
    for load, bar in BARS.items():
        best = max((side for side in ratios if side.startswith(load)), key=lambda side: ratios[side])
        part.judge(f"{signature}: {best}, against in-process batch 1", ratios[best], at_least(bar))
