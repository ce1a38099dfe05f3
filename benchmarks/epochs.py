"""Training epochs of one loop out of Transform's artifacts of a finished run, with the recipe that the pipeline uses.

`python -m benchmarks.epochs ROOT LOOP EPOCHS` prints {"examples_per_second": [...]}, one figure an epoch.
"""

import importlib
import json
import os
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

from pipeline.config import load
from trainer.config import TrainerConfig

BATCH = 64
MNIST = Path(__file__).resolve().parent.parent / "configs" / "mnist.yaml"  # what ROOT is a run of


def run(root: Path, loop: str, epochs: int) -> list[float]:
    """Trains the mlp by `loop` and returns the examples a second of each epoch, validation left out."""
    graph = _only(root / "artifacts/Transform/transform_graph")
    examples = _only(root / "artifacts/Transform/transformed_examples")
    config = TrainerConfig(loop=loop, epochs=epochs, batch_size=BATCH, early_stopping=None)
    with tempfile.TemporaryDirectory() as folder:
        progress = Path(folder) / "epochs.jsonl"
        os.environ["TAPELINE_PROGRESS"] = str(progress)
        fn_args = SimpleNamespace(
            transform_output=str(graph),
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


def _only(folder: Path) -> Path:
    [artifact] = folder.iterdir()
    return artifact


if __name__ == "__main__":
    print(json.dumps({"examples_per_second": run(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))}))
