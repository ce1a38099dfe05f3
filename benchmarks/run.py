"""`make bench`: the project side by side with its references, in one call, as ratios; prints the tables of docs/benchmarks.md.

whole run against tfx.examples.mnist -> training epochs of both loops against the tutorial -> growth from 7,000 to 70,000 rows
-> readers against pandas and Pillow -> memory from 100,000 to 2,000,000 rows -> a table of 1,000,000 rows against AutoGluon
-> what each training step is good for -> the Trainer's loops, input, checkpoints and replicas
"""

import argparse
import functools
import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import measured, mnist_files
from benchmarks.measured import Measured, python
from benchmarks.memory import memory
from benchmarks.million import million
from benchmarks.printed import row, say
from benchmarks.readers import readers
from benchmarks.steps import steps
from benchmarks.trainer import trainer

PARTS = ("whole", "epochs", "growth", "readers", "memory", "million", "steps", "trainer")
REFERENCE = {"TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
OURS = {"TF_USE_LEGACY_KERAS": "0", "TF_CPP_MIN_LOG_LEVEL": "3"}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=PARTS, help="one part of it")
    parser.add_argument("--rounds", type=int, default=1, help="how often each side is run; the median counts (default: 1)")
    parser.add_argument("--autogluon", metavar="PYTHON", help="the Python of an environment with autogluon.tabular, for the part `million`")
    parser.add_argument("--seconds", type=int, default=120, help="AutoGluon's time limit (default: 120)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tapeline-bench-") as folder:
        work = Path(folder)
        parts: dict[str, Callable[[], None]] = {
            "whole": lambda: whole_run(_mnist(), work, options.rounds),
            "epochs": lambda: epochs(_mnist(), work),
            "growth": lambda: growth(_mnist(), work),
            "readers": lambda: readers(work, options.rounds),
            "memory": lambda: memory(work, OURS),
            "million": lambda: million(work, OURS, options.autogluon, options.seconds),
            "steps": lambda: steps(work, OURS),
            "trainer": lambda: trainer(_roots(_mnist(), work), OURS, options.rounds),
        }
        for name in PARTS if options.only is None else (options.only,):
            parts[name]()


def _mnist() -> Path:
    data = mnist_files.folder()
    say(f"MNIST from {data.name}")
    return data


def whole_run(data: Path, work: Path, rounds: int) -> None:
    """70,000 raw images to a pushed model, imports included, against TFX's example, whose data is converted first."""
    converted = work / "converted"
    say("converting the data for TFX's example")
    conversion = measured.run(python("benchmarks.tfx_example", "convert", data, converted), REFERENCE)
    ours, theirs = [], []
    for number in range(rounds):
        say(f"whole run, round {number + 1}: TFX's example")
        command = python("benchmarks.tfx_example", "run", converted, work / f"reference-{number}")
        theirs.append(measured.run(command, {**REFERENCE, "TMPDIR": str(work)}))
        say(f"whole run, round {number + 1}: tapeline")
        ours.append(_pipeline(data, work / f"ours-{number}"))
    a, b = _median(ours), _median(theirs)
    print("\n| whole run, MNIST, `mlp`, 10 epochs | seconds | CPU seconds | peak MiB |\n| --- | ---: | ---: | ---: |")
    print(f"| tapeline, raw files to pushed | {row(a)} |\n| `tfx.examples.mnist`, converted data to pushed | {row(b)} |")
    print(f"| its conversion before that | {row(conversion)} |")
    print(f"| **ratio** (bar: at most 0.5) | **{a.seconds / b.seconds:.2f}** | {a.cpu_seconds / b.cpu_seconds:.2f} |", end="")
    print(f" {a.peak_mib / b.peak_mib:.2f} |\n| ratio, conversion counted | {a.seconds / (b.seconds + conversion.seconds):.2f} | | |\n")


def epochs(data: Path, work: Path, count: int = 6) -> None:
    """Examples a second of a training epoch, batch 64, the first epoch (tracing, filling caches) left out."""
    root = work / "for-epochs"
    say("epochs: a run for its artifacts")
    _pipeline(data, root, "--set", "trainer.epochs=1", "--set", "evaluator.min_accuracy=0.5")
    speeds: dict[str, list[float]] = {"tutorial": [], "fit": [], "gradient_tape": []}
    for number in range(2):
        for name, seen in speeds.items():
            say(f"epochs, round {number + 1}: {name}")
            side = python("benchmarks.tutorial", data, str(count)) if name == "tutorial" else None
            seen += _examples_per_second(side or python("benchmarks.epochs", root, name, str(count)))[1:]
    reference = statistics.median(speeds["tutorial"])
    print("\n| training epoch, MNIST, `mlp`, batch 64 | examples a second | ratio (bar: at least 2) |\n| --- | ---: | ---: |")
    for name, seen in speeds.items():
        print(f"| {name} | {statistics.median(seen):,.0f} | {statistics.median(seen) / reference:.2f} |")
    print()


def growth(data: Path, work: Path) -> None:
    """How time and memory grow with ten times the rows."""
    small = mnist_files.first_rows(data, work / "small", train=6_000, test=1_000)
    rows = {}
    for name, folder in (("7,000", small), ("70,000", data)):
        say(f"growth: {name} rows")
        rows[name] = _pipeline(folder, work / f"growth-{name}", "--set", "evaluator.min_accuracy=0.5")
    print("\n| rows, raw files to pushed | seconds | CPU seconds | peak MiB |\n| --- | ---: | ---: | ---: |")
    for name, figures in rows.items():
        print(f"| {name} | {row(figures)} |")
    a, b = rows["70,000"], rows["7,000"]
    ratios = (a.seconds / b.seconds, a.cpu_seconds / b.cpu_seconds, a.peak_mib / b.peak_mib)
    print(f"| **ratio**, 10 times the rows | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} |\n")


def _roots(data: Path, work: Path) -> Callable[[bool], Path]:
    @functools.cache
    def root(is_small: bool) -> Path:
        say("trainer: a run for its artifacts")
        folder = mnist_files.first_rows(data, work / "first", train=6_000, test=1_000) if is_small else data
        place = work / f"for-trainer-{is_small}"
        _pipeline(folder, place, "--set", "trainer.epochs=1", "--set", "evaluator.min_accuracy=0.5")
        return place

    return root


def _pipeline(data: Path, root: Path, *more: str) -> Measured:
    command = python("pipeline.cli", "run", "configs/mnist.yaml", "--set", f"data.path={data}", "--root", root, *more)
    return measured.run(command, OURS)


def _examples_per_second(command: list[str]) -> list[float]:
    result = subprocess.run(command, env={**os.environ, **OURS}, capture_output=True, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])["examples_per_second"]


def _median(figures: list[Measured]) -> Measured:
    return sorted(figures, key=lambda each: each.seconds)[(len(figures) - 1) // 2]


if __name__ == "__main__":
    main()
