"""What each training step is good for: the digits with few rows to learn from, equal epochs, three seeds, beside the standard step.

a run for its artifacts -> each step and seed in a process of its own, no epoch chosen -> accuracy on the eval split, as it is, with noise
    and moved against the model -> the mean and the range of each; then what single steps are made for, a table each

`python -m benchmarks.steps ROOT ROW SEED EPOCHS` measures one row of one table and prints it as JSON.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks import step_adapting, step_costs
from benchmarks.digits_trained import artifacts, trained
from benchmarks.measured import python
from benchmarks.printed import say
from trainer.steps import STEPS

SEEDS = (1, 2, 3)
EPOCHS = 40
NOISE, MOVED = 0.3, 0.1  # of pixels from 0 to 1


class Table(NamedTuple):
    """Rows of figures, each of one training."""

    head: str
    figures: tuple[str, ...]
    rows: dict[str, Callable[[Path, int, int], list[float]]]  # by name: root, seed, epochs -> the figures


def steps(work: Path, environment: dict[str, str]) -> None:
    """Measures and prints the tables."""
    root = work / "for-steps"
    say("steps: a run for its artifacts")
    artifacts(root, environment)
    for table in TABLES:
        print(f"\n| {table.head}, {EPOCHS} epochs, seeds {SEEDS} | {' | '.join(table.figures)} |")
        print(f"| --- |{' ---: |' * len(table.figures)}")
        for name in table.rows:
            say(f"steps: {name}")
            rows = [_in_a_process(root, name, seed, environment) for seed in SEEDS]
            print(f"| {name} | {' | '.join(map(_cell, zip(*rows, strict=True)))} |", flush=True)
    print()


def _judged(step: str) -> Callable[[Path, int, int], list[float]]:
    """What measures how a step's model stands noise and attacks."""

    def measured(root: Path, seed: int, epochs: int) -> list[float]:
        import numpy as np
        import tensorflow as tf

        model, _, x, y, seconds = trained(root, step, seed, epochs)
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = model.compute_loss(x, y, model(x, training=False), training=False)
        noise = tf.constant(np.random.default_rng(0).normal(scale=NOISE, size=x.shape), tf.float32)
        seen = (x, x + noise, x + MOVED * tf.sign(tape.gradient(loss, x)))
        right = [float(tf.reduce_mean(tf.cast(tf.argmax(model(each, training=False), 1) == y, tf.float32))) for each in seen]
        return [*right, seconds]

    return measured


def _in_a_process(root: Path, name: str, seed: int, environment: dict[str, str]) -> list[float]:
    command = python("benchmarks.steps", root, name, str(seed), str(EPOCHS))
    result = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def _cell(values: tuple[float, ...]) -> str:
    """The mean, and the range behind it."""
    digits = 1 if max(values) > 1 else 3
    return f"{statistics.mean(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


TABLES = (
    Table("`trainer.step`", ("accuracy", "with noise", "moved against it", "seconds"), {f"`{step}`": _judged(step) for step in STEPS}),
    Table("what answers cost", step_costs.FIGURES, step_costs.ROWS),
    Table("trained on 0 to 6", step_adapting.FIGURES, step_adapting.ROWS),
)

if __name__ == "__main__":
    [measure] = [table.rows[sys.argv[2]] for table in TABLES if sys.argv[2] in table.rows]
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[3]), int(sys.argv[4]))))
