"""The `cnn`, trained by a step on the few rows of the digits that the part `steps` learns from, no epoch chosen."""

import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measured import python, run
from trainer.steps import Adversarial

SPLITS = "data.splits={train: 2, eval: 6, test: 2}"  # 359 rows to learn from, 1,078 to judge by
NAMES = tuple("0123456789")
_TEACHERS_STEP, _TEACHERS_SEED = Adversarial(), 0


class Trained(NamedTuple):
    """A model and what it is judged by."""

    model: Any
    task: Any
    x: Any  # float32 (rows, 8, 8, 1), from 0 to 1, of the judged split
    y: Any  # int64 (rows,)
    seconds: float


def artifacts(root: Path, environment: dict[str, str]) -> None:
    """A run for them."""
    small = ("--set", SPLITS, "--set", "trainer.epochs=1", "--set", "evaluator.min_accuracy=0")
    run(python("pipeline.cli", "run", "configs/digits.yaml", "--root", root, *small), environment)


def trained(
    root: Path,
    step: Any,
    seed: int,
    epochs: int,
    *,
    class_weights: Any = "none",
    classes: tuple[int, ...] = tuple(range(10)),
    batch_size: int = 32,
) -> Trained:
    """Trains on the rows of `classes`; `step` is its name or its settings, the judged rows are those of all classes."""
    import tensorflow as tf
    import tensorflow_transform as tft

    from trainer import gradient_tape
    from trainer.config import TrainerConfig
    from trainer.features import names
    from trainer.input_pipeline import eval_batches, read_split, train_batches
    from trainer.models import build_model
    from trainer.strategy import make_strategy
    from trainer.tasks import Multiclass

    config = TrainerConfig(
        loop="gradient_tape", model="cnn", step=step, seed=seed, epochs=epochs, batch_size=batch_size, strategy="one_device"
    )
    task = Multiclass(classes=10, names=NAMES, class_weights=class_weights)  # rows of number -1 are left out of named classes
    [graph], [examples] = ((root / f"artifacts/Transform/{name}").iterdir() for name in ("transform_graph", "transformed_examples"))
    spec = tft.TFTransformOutput(str(graph)).transformed_feature_spec()
    learnt, judged = (read_split([f"{examples}/Split-{split}/*"], spec, config) for split in ("train", "eval"))
    is_learnt = tf.reduce_any(learnt.labels[:, tf.newaxis] == tf.constant(classes, tf.int64), axis=1)
    learnt = learnt._replace(labels=tf.where(is_learnt, learnt.labels, -1))
    task = task.fitted(learnt.labels)
    train, judged = train_batches(learnt, config, task), eval_batches(judged, config, task)
    strategy = make_strategy(config.strategy)

    def built(config: TrainerConfig) -> Any:
        with strategy.scope():
            return build_model(config, task, {names.PIXELS: spec[names.PIXELS]})

    step = config.step.for_task(task)
    if step.HAS_TEACHER:  # the same model, as another step has trained it on the same rows
        of_teacher = config.model_copy(update={"step": _TEACHERS_STEP, "seed": _TEACHERS_SEED})
        teacher = built(of_teacher)
        gradient_tape.train(teacher, train, judged, strategy, of_teacher, [])
        step = step.taught_by(lambda x: task.activated(teacher(x, training=False)))
    with strategy.scope():
        step = step.with_models(train.dataset.element_spec[0], seed, train.steps)
    config, model = config.model_copy(update={"step": step}), built(config)
    began = time.perf_counter()
    gradient_tape.train(model, train, judged, strategy, config, [])
    seconds = time.perf_counter() - began
    x, y = (tf.concat(part, 0) for part in zip(*judged.dataset, strict=True))
    return Trained(model, task, x, y, seconds)
