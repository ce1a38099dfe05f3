"""What a load test says in figures."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from serving.loadtest.run import Result

PERCENTILES = (50.0, 90.0, 99.0, 99.9)
_LATE_SECONDS = 0.005  # the sender itself counts as late from here on


@dataclass(frozen=True)
class Summary:
    """Counts, requests answered a second, latencies in milliseconds, and how late the sender itself was."""

    title: str
    rate: float
    sent: int
    answered: int
    throughput: float
    latencies_ms: dict[str, float]
    codes: dict[str, int]
    sender_late_ms: float

    @classmethod
    def of(cls, result: Result) -> "Summary":
        """Latencies are those of the requests that were answered, from the moment each was due."""
        answered = np.array([code == "OK" for code in result.codes], bool)
        milliseconds = np.sort(result.latencies[answered]) * 1000
        names = {f"p{percentile:g}": percentile for percentile in PERCENTILES}
        latencies = {name: float(np.percentile(milliseconds, at)) for name, at in names.items()} if len(milliseconds) else {}
        if len(milliseconds):
            latencies["max"] = float(milliseconds[-1])
        late = float(np.percentile(result.sent - result.due, 99)) if len(result.due) else 0.0
        return cls(
            title=result.title,
            rate=result.rate,
            sent=len(result.codes),
            answered=int(answered.sum()),
            throughput=int(answered.sum()) / result.seconds if result.seconds else 0.0,
            latencies_ms={name: round(value, 3) for name, value in latencies.items()},
            codes=dict(Counter(result.codes)),
            sender_late_ms=round(late * 1000, 3),
        )

    def as_dict(self) -> dict:
        """For JSON."""
        return {**self.__dict__, "throughput": round(self.throughput, 2)}

    def text(self) -> str:
        """For people."""
        lines = [
            self.title,
            f"sent        {self.sent:,} at {self.rate:g} a second",
            f"answered    {self.answered:,}, {self.throughput:,.1f} a second",
            "latency     " + "  ".join(f"{name} {value:,.2f} ms" for name, value in self.latencies_ms.items()),
        ]
        errors = {code: count for code, count in self.codes.items() if code != "OK"}
        if errors:
            lines.append("errors      " + "  ".join(f"{code} {count:,}" for code, count in sorted(errors.items())))
        if self.sender_late_ms > _LATE_SECONDS * 1000:
            lines.append(
                f"note        the sender itself was up to {self.sender_late_ms:,.1f} ms late (p99): this machine cannot send faster"
            )
        return "\n".join(lines)
