"""`tapeline tune`: the parsers. Nothing here imports TensorFlow."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.subcommand import add_command

RATE = "tune lr"  # a command of two words beside one that is the first of them, which argparse cannot have


def joined(arguments: Sequence[str]) -> list[str]:
    """`arguments` with `tune lr` as one word."""
    return [RATE, *arguments[2:]] if list(arguments[:2]) == RATE.split() else list(arguments)


def add_to(commands: Any) -> list[argparse.ArgumentParser]:
    """Adds the commands to the parser of `tapeline`; returns those that take a config."""
    rate = add_command(commands, RATE, _rate, "find a learning rate for a config's model and data, in a hundred steps")
    rate.add_argument("--root", metavar="DIR", type=Path, help="folder of the run whose transformed rows are taken (default: runs/NAME)")
    rate.add_argument("--first", metavar="RATE", type=float, default=1e-7, help="the smallest learning rate (default: 1e-7)")
    rate.add_argument("--last", metavar="RATE", type=float, default=10.0, help="the greatest (default: 10)")
    rate.add_argument("--steps", metavar="N", type=int, default=100, help="how many learning rates (default: 100)")
    rate.add_argument("--json", action="store_true", help="print one JSON object as the last line of stdout")
    rate.add_argument("--verbose", action="store_true", help="show tracebacks")
    return [rate]


def _rate(options: argparse.Namespace) -> int:
    from pipeline.tune import learning_rate

    return learning_rate.run(options)
