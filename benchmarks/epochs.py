"""Training epochs of one loop out of Transform's artifacts of a finished run, with the recipe that the pipeline uses.

`python -m benchmarks.epochs ROOT LOOP EPOCHS [SETTINGS] [CONDITION ...]` prints {"examples_per_second": [...]}, one figure an epoch.
SETTINGS are the trainer's, as JSON. A condition is `two-cpus`, two logical ones; `streamed`, the examples are read anew in each epoch;
`one-batch`, each step gets the first batch, which is in memory.
"""

import importlib
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pipeline.config import load
from trainer.config import TrainerConfig

BATCH = 64
MNIST = Path(__file__).resolve().parent.parent / "configs" / "mnist.yaml"  # what ROOT is a run of


def run(
    root: Path, loop: str, epochs: int, settings: Mapping[str, Any] = MappingProxyType({}), conditions: Iterable[str] = ()
) -> list[float]:
    """Trains the mlp, or what `settings` say, by `loop` and returns the examples a second of each epoch, validation left out."""
    for condition in conditions:
        _CONDITIONS[condition]()
    from tfx.components.trainer.fn_args_utils import FnArgs  # imports TensorFlow, whose devices are decided by now

    graph = _only(root / "artifacts/Transform/transform_graph")
    examples = _only(root / "artifacts/Transform/transformed_examples")
    config = TrainerConfig(loop=loop, epochs=epochs, batch_size=BATCH, early_stopping=None, must_learn=False, **settings)
    with tempfile.TemporaryDirectory() as folder:
        progress = Path(folder) / "epochs.jsonl"
        os.environ["TAPELINE_PROGRESS"] = str(progress)
        fn_args = FnArgs(
            transform_graph_path=str(graph),
            train_files=[f"{examples}/Split-train/*"],
            eval_files=[f"{examples}/Split-eval/*"],
            model_run_dir=f"{folder}/run",
            serving_model_dir=f"{folder}/model",
            custom_config={"trainer": config.to_json(), "problem": load(MNIST).problem.to_json()},
        )
        Path(fn_args.model_run_dir).mkdir()
        importlib.import_module(f"trainer.{loop}").run_fn(fn_args)
        return [json.loads(line)["examples_per_second"] for line in progress.read_text().splitlines()]


def _two_cpus() -> None:
    import tensorflow as tf

    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)


def _streamed() -> None:
    from trainer import input_pipeline

    input_pipeline._SHARE_OF_FREE_DISK = 0.0


def _one_batch() -> None:
    from trainer import run as recipe

    def same(*arguments: Any) -> Any:
        batches = train_batches(*arguments)
        return batches._replace(dataset=batches.dataset.take(1).cache().repeat())

    train_batches, recipe.train_batches = recipe.train_batches, same


_CONDITIONS = {"two-cpus": _two_cpus, "streamed": _streamed, "one-batch": _one_batch}


def _only(folder: Path) -> Path:
    [artifact] = folder.iterdir()
    return artifact


if __name__ == "__main__":
    given = json.loads(sys.argv[4]) if len(sys.argv) > 4 else {}
    print(json.dumps({"examples_per_second": run(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), given, sys.argv[5:])}))
