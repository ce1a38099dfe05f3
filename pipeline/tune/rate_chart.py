"""The picture of a sweep of learning rates: an SVG that any browser shows."""

import math
from collections.abc import Sequence
from html import escape

_WIDTH, _HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 50, 50  # margins
_ABOVE = 1.5  # times the first loss: where the picture ends, for a divergence would flatten all else


def svg(rates: Sequence[float], losses: Sequence[float], suggestion: float, name: str) -> str:
    """The losses over the rates, which have a logarithmic axis, with a mark at the suggestion."""
    first, last = math.log10(rates[0]), math.log10(rates[-1])
    highest = min(max(loss for loss in losses if math.isfinite(loss)), _ABOVE * losses[0])
    lowest = min(loss for loss in losses if math.isfinite(loss))
    span = (highest - lowest) or 1.0

    def x(rate: float) -> float:
        return _LEFT + (math.log10(rate) - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT)

    def y(loss: float) -> float:
        return _HEIGHT - _BOTTOM - (loss - lowest) / span * (_HEIGHT - _TOP - _BOTTOM)

    points = " ".join(f"{x(rate):.1f},{y(loss):.1f}" for rate, loss in zip(rates, losses, strict=True) if loss <= highest)
    at = losses[list(rates).index(suggestion)]
    floor = _HEIGHT - _BOTTOM
    ticks = [
        f'<line x1="{x(10.0**power):.1f}" x2="{x(10.0**power):.1f}" y1="{_TOP}" y2="{floor}" stroke="#ddd"/>'
        f'<text x="{x(10.0**power):.1f}" y="{floor + 18}" text-anchor="middle">1e{power}</text>'
        for power in range(math.ceil(first - 1e-9), math.floor(last + 1e-9) + 1)
    ]
    levels = [
        f'<text x="{_LEFT - 8}" y="{y(lowest + part * span) + 4:.1f}" text-anchor="end">{lowest + part * span:.3g}</text>'
        for part in (0, 0.25, 0.5, 0.75, 1)
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="12" role="img">',
            f"<title>{escape(name)}: smoothed training loss by learning rate, {suggestion:.2g} suggested</title>",
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
            f'<text x="{_LEFT}" y="24" font-size="15">{escape(name)}: learning rate {suggestion:.2g} suggested</text>',
            *ticks,
            *levels,
            f'<line x1="{x(suggestion):.1f}" x2="{x(suggestion):.1f}" y1="{_TOP}" y2="{floor}" stroke="#d55e00" stroke-dasharray="4 3"/>',
            f'<polyline points="{points}" fill="none" stroke="#0072b2" stroke-width="2"/>',
            f'<circle cx="{x(suggestion):.1f}" cy="{y(at):.1f}" r="5" fill="#d55e00"/>',
            f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 10}" text-anchor="middle">learning rate</text>',
            f'<text x="16" y="{_HEIGHT / 2}" text-anchor="middle" transform="rotate(-90 16 {_HEIGHT / 2})">smoothed loss</text>',
            "</svg>\n",
        ]
    )
