"""`tapeline tune`: the parsers. Nothing here imports TensorFlow."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.subcommand import add_command
from trainer.errors import ConfigError

RATE = "tune lr"  # a command of two words beside one that is the first of them, which argparse cannot have

_EXAMPLE = "Such as: tuner: {search: {trainer.learning_rate: {min: 1.0e-4, max: 1.0e-1, scale: log}}}"


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
    search = add_command(commands, "tune", _search, "search better settings of the training, as `tuner` in the config says")
    search.add_argument("--root", metavar="DIR", type=Path, help="folder for everything that is written (default: runs/NAME)")
    search.add_argument("--json", action="store_true", help="print one JSON object as the last line of stdout; progress goes to stderr")
    search.add_argument("--verbose", action="store_true", help="show what TFX, Beam and TensorFlow say, and tracebacks")
    return [rate, search]


def _search(options: argparse.Namespace) -> int:
    import json

    from pipeline import config, interruption, steps, workspace
    from pipeline.runs import local

    settings = config.load(options.config, options.overrides)
    if settings.tuner is None:
        raise ConfigError(f"Expected the section `tuner` in {options.config}, with what is to be searched. Received: none. {_EXAMPLE}")
    root = options.root or workspace.default_root(settings)
    summary = local.run(settings, root, options.verbose, options.json, interruption.hold, steps.TUNER.id)
    if options.json:
        print(json.dumps(summary.to_json()))
    return summary.exit_status


def _rate(options: argparse.Namespace) -> int:
    from pipeline.tune import learning_rate

    return learning_rate.run(options)
