"""The picture of a search: an axis for each setting and one for the score, and a line for each trial."""

import math
from html import escape
from typing import Any

from pipeline.runs.tuning import Tuning

_STEP, _HEIGHT, _SIDE, _TOP, _BOTTOM = 170, 380, 80, 70, 40
_TICKS = 6  # that fit on an axis
_CLOSE = 15  # pixels between two ticks' texts
_OVER_LINES = 'stroke="#fff" stroke-width="3" paint-order="stroke"'  # a white rim, so that lines do not cross out a text
_GOOD, _BAD = (0, 114, 178), (214, 219, 226)  # of the best and the worst line
_LOG = 50.0  # greatest through least, from which on an axis is logarithmic


def svg(tuning: Tuning, title: str) -> str:
    """An SVG that any browser shows; the best trial's line is the thick one."""
    keys = [*tuning.best, "score"]
    axes = {key: _Axis([trial.get(key) for trial in tuning.trials]) for key in keys}
    width = 2 * _SIDE + _STEP * (len(keys) - 1)
    lines = [
        _line([(_SIDE + _STEP * at, axes[key].y(trial.get(key))) for at, key in enumerate(keys)], rank / max(len(tuning.trials) - 1, 1))
        for rank, trial in enumerate(tuning.trials)
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}" font-family="sans-serif" font-size="12" role="img">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{width}" height="{_HEIGHT}" fill="#fff"/>',
            f'<text x="20" y="24" font-size="15">{escape(title)}</text>',
            *reversed(lines),  # the best on top
            *(part for at, key in enumerate(keys) for part in _axis(_SIDE + _STEP * at, _label(key, tuning), axes[key])),
            "</svg>\n",
        ]
    )


class _Axis:
    """Where a value stands on its axis: a number by its size, anything else by its place among all there are."""

    def __init__(self, values: list[Any]) -> None:
        found = [value for value in values if value is not None]
        self._are_numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in found)
        self._places = sorted(set(found)) if self._are_numbers else sorted(set(map(str, found)))
        low, high = (self._places[0], self._places[-1]) if found else (0, 1)
        self._is_log = self._are_numbers and low > 0 and high / low >= _LOG
        self._low, self._high = (self._size(low), self._size(high)) if self._are_numbers else (0.0, len(self._places) - 1.0)

    def y(self, value: Any) -> float:
        """From the top, in pixels."""
        place = self._size(value) if self._are_numbers else float(self._places.index(str(value)))
        share = (place - self._low) / (self._high - self._low) if self._high > self._low else 0.5
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    def ticks(self) -> list[tuple[float, str]]:
        """Height and text of each; of many numbers those at the ends, and the powers of ten between them where the axis is logarithmic."""
        shown = self._places
        if len(shown) > _TICKS:
            low, high = shown[0], shown[-1]
            powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1) if self._is_log else ()
            inner = [10.0**power for power in powers]
            shown = [low, *(value for value in inner if min(abs(self.y(value) - self.y(end)) for end in (low, high)) > _CLOSE), high]
        return [(self.y(value), f"{value:.3g}" if self._are_numbers else str(value)) for value in shown]

    def _size(self, value: float) -> float:
        return math.log(value) if self._is_log else float(value)


def _line(points: list[tuple[float, float]], share: float) -> str:
    red, green, blue = (round(good + (bad - good) * share) for good, bad in zip(_GOOD, _BAD, strict=True))
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="rgb({red},{green},{blue})" stroke-width="{1.5 if share else 3.5}"/>'


def _axis(x: float, label: str, axis: _Axis) -> list[str]:
    return [
        f'<line x1="{x}" x2="{x}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}" stroke="#333"/>',
        f'<text x="{x}" y="{_TOP - 14}" text-anchor="middle">{escape(label)}</text>',
        *(f'<text x="{x + 6}" y="{y + 4:.1f}" {_OVER_LINES}>{escape(text)}</text>' for y, text in axis.ticks()),
    ]


def _label(key: str, tuning: Tuning) -> str:
    return f"val_{tuning.metric}" if key == "score" else key.removeprefix("trainer.")
