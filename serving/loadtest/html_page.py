"""One HTML file that needs nothing else: the figures, latency by percentile, and latency over time."""

import html
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from serving import whole_file
from serving.loadtest.run import Result
from serving.loadtest.summary import Summary

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 760, 300, 70, 40
_NINES = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99)
_BINS = 60
_STYLE = """
:root { color-scheme: light dark; --line: #1a6fb5; --other: #c2410c; --grid: #8886; }
@media (prefers-color-scheme: dark) { :root { --line: #6cb6ff; --other: #ff9b5e; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } td, th { padding: .2rem .8rem .2rem 0; text-align: left; } td.n { text-align: right; }
svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: currentColor; }
.grid { stroke: var(--grid); stroke-width: 1; } .line { fill: none; stroke: var(--line); stroke-width: 2; }
.other { fill: none; stroke: var(--other); stroke-width: 2; }
"""


def write_page(path: Path, summary: Summary, result: Result) -> None:
    """Writes the page, whole at once."""
    answered = np.array([code == "OK" for code in result.codes], bool)
    milliseconds = result.latencies[answered] * 1000
    rows = [("sent", f"{summary.sent:,}"), ("answered", f"{summary.answered:,}"), ("answered a second", f"{summary.throughput:,.1f}")]
    rows += [(f"latency {name}", f"{value:,.2f} ms") for name, value in summary.latencies_ms.items()]
    rows += [(f"error {code}", f"{count:,}") for code, count in sorted(summary.codes.items()) if code != "OK"]
    rows.append(("sender late, p99", f"{summary.sender_late_ms:,.2f} ms"))
    table = "".join(f"<tr><th>{html.escape(name)}</th><td class=n>{html.escape(value)}</td></tr>" for name, value in rows)
    curves = "<p>Nothing was answered.</p>"
    if len(milliseconds):
        curves = (
            f"<h2>Latency by percentile</h2>{_by_percentile(milliseconds)}"
            f"<h2>Latency over time</h2><p>p50 and p99 of each moment.</p>{_over_time(result.due[answered], milliseconds)}"
        )
    page = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(summary.title)}</title><style>{_STYLE}</style>"
        f"<h1>{html.escape(summary.title)}</h1><p>{summary.rate:g} requests a second, by the clock: what waits is counted.</p>"
        f"<table>{table}</table>{curves}</html>"
    )
    whole_file.write(path, page)


def _by_percentile(milliseconds: np.ndarray) -> str:
    most = min(_NINES[-1], 100 * (1 - 1 / max(2, len(milliseconds))))
    shares = 100 - np.logspace(2, math.log10(100 - most), 200)
    values = np.percentile(milliseconds, shares)
    nines = [nine for nine in _NINES if nine <= most + 1e-9]
    span = _nines(most) or 1.0
    top = float(values.max()) or 1.0
    points = [(_nines(share) / span, value / top) for share, value in zip(shares, values, strict=True)]
    return _chart(
        [("line", points)], [(_nines(nine) / span, f"{nine:g} %") for nine in nines], top, "Latency in milliseconds by percentile"
    )


def _nines(share: float) -> float:
    """0 % is 0, 90 % is 1, 99 % is 2."""
    return 2 - math.log10(max(1e-6, 100 - share))


def _over_time(due: np.ndarray, milliseconds: np.ndarray) -> str:
    end = float(due.max()) or 1.0
    bins = np.minimum((due / end * _BINS).astype(int), _BINS - 1)
    lines = {"line": 50, "other": 99}
    points = {
        kind: [((each + 0.5) / _BINS, float(np.percentile(milliseconds[bins == each], at))) for each in np.unique(bins)]
        for kind, at in lines.items()
    }
    top = max(value for series in points.values() for _, value in series) or 1.0
    scaled = [(kind, [(x, value / top) for x, value in series]) for kind, series in points.items()]
    ticks = [(share, f"{share * end:.3g} s") for share in (0, 0.25, 0.5, 0.75, 1)]
    return _chart(scaled, ticks, top, "p50 and p99 latency in milliseconds over time")


def _chart(series: Sequence[tuple[str, Sequence[tuple[float, float]]]], ticks: Sequence[tuple[float, str]], top: float, title: str) -> str:
    """An SVG of lines; x and y from 0 to 1, `top` is what y = 1 stands for in milliseconds."""

    def at(x: float, y: float) -> str:
        return f"{_LEFT + x * (_WIDTH - _LEFT - 20):.1f},{_HEIGHT - _BOTTOM - y * (_HEIGHT - _BOTTOM - 15):.1f}"

    grid, labels = [], []
    for share in (0, 0.25, 0.5, 0.75, 1):
        (x1, y), (x2, _) = at(0, share).split(","), at(1, share).split(",")
        grid.append(f'<line class=grid x1="{x1}" x2="{x2}" y1="{y}" y2="{y}"/>')
        labels.append(f'<text x="{_LEFT - 8}" y="{float(y) + 4:.1f}" text-anchor=end>{share * top:.3g} ms</text>')
    for x, label in ticks:
        labels.append(f'<text x="{at(x, 0).split(",")[0]}" y="{_HEIGHT - 15}" text-anchor=middle>{html.escape(label)}</text>')
    lines = [f'<polyline class={kind} points="{" ".join(at(x, y) for x, y in points)}"/>' for kind, points in series]
    body = "".join([*grid, *labels, *lines])
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role=img aria-label="{html.escape(title)}">{body}</svg>'
