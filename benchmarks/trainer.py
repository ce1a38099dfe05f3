"""What the Trainer's own parts cost: one loop beside the other, the input pipeline, checkpoints, replicas, streamed rows.

one run for its artifacts -> each pair in turn, each side a process of its own -> the ratio of the medians
"""

import json
import os
import statistics
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measured import python
from benchmarks.printed import say, verdict


class Side(NamedTuple):
    """One side of a pair.

    Attributes:
      loop: by which it trains.
      settings: the trainer's.
      conditions: as `benchmarks.epochs` has them.
    """

    loop: str = "gradient_tape"
    settings: Mapping[str, Any] = {}
    conditions: tuple[str, ...] = ()


class Pair(NamedTuple):
    """Two sides, and the bar for the examples a second of the one over those of the other.

    Attributes:
      name: for people.
      is_small: whether it is measured on the first rows alone.
      epochs: the first of which does not count.
      side: what is judged.
      reference: beside what.
      at_least: the bar.
    """

    name: str
    is_small: bool
    epochs: int
    side: Side
    reference: Side
    at_least: float


def _models() -> list[Pair]:
    tape, fit = ({name: Side(loop, {"model": name}) for name in ("mlp", "cnn", "resnet")} for loop in ("gradient_tape", "fit"))
    return [Pair(f"`{name}`: gradient_tape beside fit", name != "mlp", 6, tape[name], fit[name], 1.0) for name in tape]


_MLP, _CNN = {"model": "mlp"}, {"model": "cnn"}
PAIRS = [
    *_models(),
    Pair(
        "`mlp`: a step beside one on a batch in memory",
        False,
        6,
        Side("gradient_tape", _MLP),
        Side("gradient_tape", _MLP, ("one-batch",)),
        1 / 1.10,
    ),
    Pair(
        "`cnn`: a step beside one on a batch in memory",
        True,
        6,
        Side("gradient_tape", _CNN),
        Side("gradient_tape", _CNN, ("one-batch",)),
        1 / 1.10,
    ),
    Pair(
        "`mlp`: a checkpoint every 3 seconds beside none",
        False,
        40,
        Side("gradient_tape", _MLP | {"checkpoints": {"epochs": None, "minutes": 0.05}}),
        Side("gradient_tape", _MLP | {"checkpoints": None}),
        1 / 1.02,
    ),
    Pair(
        "`cnn`: two logical CPUs beside one",
        True,
        6,
        Side("gradient_tape", _CNN | {"strategy": "mirrored"}, ("two-cpus",)),
        Side("gradient_tape", _CNN | {"strategy": "cpu"}),
        1 / 1.15,
    ),
    *(
        Pair(
            f"`{settings['model']}`: kept on the disk beside in memory",
            is_small,
            6,
            Side("gradient_tape", settings | {"cache": "none"}),
            Side("gradient_tape", settings),
            0.7,
        )
        for settings, is_small in ((_MLP, False), (_CNN, True))
    ),
    Pair(
        "`mlp`: read anew from the examples beside in memory",
        False,
        6,
        Side("gradient_tape", _MLP | {"cache": "none"}, ("streamed",)),
        Side("gradient_tape", _MLP),
        0.7,
    ),
    Pair(
        "`cnn`: read anew from the examples beside in memory",
        True,
        6,
        Side("gradient_tape", _CNN | {"cache": "none"}, ("streamed",)),
        Side("gradient_tape", _CNN),
        0.7,
    ),
]


def trainer(roots: Callable[[bool], Path], environment: Mapping[str, str], rounds: int) -> None:
    """Measures and prints the table.

    Args:
      roots: the folder of a finished run of MNIST, whose argument says whether of the first rows alone.
      environment: of the processes.
      rounds: how often each side is trained, in turn; the median of all their epochs counts.
    """
    print("\n| MNIST, batch 64 | examples a second | beside | ratio |\n| --- | ---: | ---: | ---: |")
    for pair in PAIRS:
        seen: tuple[list[float], list[float]] = [], []
        for number in range(rounds):
            for speeds, side in zip(seen, (pair.side, pair.reference), strict=True):
                say(f"{pair.name}, round {number + 1}: {side.loop} {json.dumps(side.settings)} {' '.join(side.conditions)}")
                speeds += _speeds(roots(pair.is_small), side, pair.epochs, environment)[1:]
        side, reference = map(statistics.median, seen)
        print(
            f"| {pair.name} | {side:,.0f} | {reference:,.0f} | {verdict(side / reference, at_least=round(pair.at_least, 3))} |", flush=True
        )
    print()


def _speeds(root: Path, side: Side, epochs: int, environment: Mapping[str, str]) -> list[float]:
    command = python("benchmarks.epochs", root, side.loop, str(epochs), json.dumps(dict(side.settings)), *side.conditions)
    result = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])["examples_per_second"]
