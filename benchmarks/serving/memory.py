"""Whether the server's memory grows: its resident set after 200,000 requests against after 2,000.

2,000 -> resident set -> the rest in ten steps, a resident set each -> the ratio of the last to the first
"""

from pathlib import Path

import psutil

from benchmarks.serving import comparison, servers
from benchmarks.serving.report import Part, at_most
from benchmarks.serving.settings import Settings
from benchmarks.serving.worker import Worker

BAR = 1.05
_CALLERS = 16
_FIRST = 2_000


def measure(model_base_path: Path, settings: Settings) -> Part:
    """MiB by requests answered, nine tenths of them over gRPC and one over REST."""
    part = Part("memory", f"resident set, {_CALLERS} callers", ("requests answered", "MiB", "ratio"))
    with servers.tapeline(model_base_path, *settings.server_flags) as server, Worker("benchmarks.serving.load_client") as client:
        targets = [target.to_json() for target in comparison.our_targets(server)]
        first, answered = 0.0, 0
        for step in [_FIRST, *_steps(settings.requests)]:
            for target, requests in zip(targets, (step - step // 10, step // 10), strict=True):
                answered += client.ask("count", target=target, callers=_CALLERS, requests=requests)
            resident = resident_mib(server.pid)
            first = first or resident
            part.add(f"{answered:,}", f"{resident:,.0f}", f"{resident / first:.3f}")
    part.judge(f"after {answered:,} requests against after {_FIRST:,}", resident / first, at_most(BAR))
    return part


def _steps(requests: int) -> list[int]:
    """What is left after the first requests, in ten equal parts."""
    return [(requests - _FIRST) // 10] * 10


def resident_mib(pid: int) -> float:
    """The resident set of a process and those it started."""
    process = psutil.Process(pid)
    return sum(each.memory_info().rss for each in (process, *process.children(recursive=True))) / (1 << 20)
