"""What each training step is good for: the digits with few rows to learn from, equal epochs, three seeds, beside the standard step.

a run for its artifacts -> each step and seed in a process of its own, no epoch chosen -> accuracy on the eval split, as it is, with noise
    and moved against the model -> the mean and the range of each

`python -m benchmarks.steps ROOT STEP SEED EPOCHS` measures one of them and prints it as JSON.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.measured import python, run
from benchmarks.printed import say
from trainer.steps import STEPS, Adversarial

SEEDS = (1, 2, 3)
TEACHERS_STEP, TEACHERS_SEED = Adversarial(), 0
EPOCHS = 40
NOISE, MOVED = 0.3, 0.1  # of pixels from 0 to 1
SPLITS = "data.splits={train: 2, eval: 6, test: 2}"  # 359 rows to learn from, 1,078 to judge by
FIGURES = ("accuracy", "with noise", "moved against it", "seconds")


def steps(work: Path, environment: dict[str, str]) -> None:
    """Measures and prints the table."""
    root = work / "for-steps"
    say("steps: a run for its artifacts")
    small = ("--set", SPLITS, "--set", "trainer.epochs=1", "--set", "evaluator.min_accuracy=0")
    run(python("pipeline.cli", "run", "configs/digits.yaml", "--root", root, *small), environment)
    print(f"\n| `trainer.step`, {EPOCHS} epochs, seeds {SEEDS} | {' | '.join(FIGURES)} |\n| --- |{' ---: |' * len(FIGURES)}")
    for kind in STEPS:
        say(f"steps: {kind}")
        rows = [_in_a_process(root, kind, seed, environment) for seed in SEEDS]
        print(f"| `{kind}` | {' | '.join(_cell([row[name] for row in rows]) for name in FIGURES)} |", flush=True)
    print()


def measured(root: Path, kind: str, seed: int, epochs: int) -> dict[str, float]:
    """The figures of one training of the `cnn`."""
    import numpy as np
    import tensorflow as tf
    import tensorflow_transform as tft

    from pipeline.config import load
    from trainer import gradient_tape
    from trainer.config import TrainerConfig
    from trainer.features import names
    from trainer.input_pipeline import eval_batches, read_split, train_batches
    from trainer.models import build_model
    from trainer.strategy import make_strategy

    config = TrainerConfig(loop="gradient_tape", model="cnn", step=kind, seed=seed, epochs=epochs, batch_size=32, strategy="one_device")
    task = load("configs/digits.yaml").problem.task
    [graph], [examples] = ((root / f"artifacts/Transform/{name}").iterdir() for name in ("transform_graph", "transformed_examples"))
    spec = tft.TFTransformOutput(str(graph)).transformed_feature_spec()
    train, judged = (
        make(read_split([f"{examples}/Split-{split}/*"], spec, config), config, task)
        for split, make in (("train", train_batches), ("eval", eval_batches))
    )
    strategy = make_strategy(config.strategy)

    def built(config: TrainerConfig) -> Any:
        with strategy.scope():
            return build_model(config, task, {names.PIXELS: spec[names.PIXELS]})

    step = config.step.for_task(task)
    if step.HAS_TEACHER:  # the same model, as another step has trained it on the same rows
        of_teacher = config.model_copy(update={"step": TEACHERS_STEP, "seed": TEACHERS_SEED})
        teacher = built(of_teacher)
        gradient_tape.train(teacher, train, judged, strategy, of_teacher, [])
        step = step.taught_by(lambda x: task.activated(teacher(x, training=False)))
    config, model = config.model_copy(update={"step": step}), built(config)
    began = time.perf_counter()
    gradient_tape.train(model, train, judged, strategy, config, [])
    seconds = time.perf_counter() - began
    x, y = (tf.concat(part, 0) for part in zip(*judged.dataset, strict=True))
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = model.compute_loss(x, y, model(x, training=False), training=False)
    noise = tf.constant(np.random.default_rng(0).normal(scale=NOISE, size=x.shape), tf.float32)
    seen = (x, x + noise, x + MOVED * tf.sign(tape.gradient(loss, x)))
    right = [float(tf.reduce_mean(tf.cast(tf.argmax(model(each, training=False), 1) == y, tf.float32))) for each in seen]
    return dict(zip(FIGURES, [*right, seconds], strict=True))


def _in_a_process(root: Path, kind: str, seed: int, environment: dict[str, str]) -> dict[str, float]:
    command = python("benchmarks.steps", root, kind, str(seed), str(EPOCHS))
    result = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def _cell(values: list[float]) -> str:
    """The mean, and the range behind it."""
    digits = 1 if max(values) > 1 else 3
    return f"{statistics.mean(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


if __name__ == "__main__":
    print(json.dumps(measured(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
