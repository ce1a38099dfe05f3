"""The Trainer tells its `run_fn` where the rows are as they were before Transform."""

import json
from pathlib import Path

from tfx.types import standard_artifacts

from components import trainer
from trainer.export.rows import RAW_FILES


def run_fn(fn_args):
    """Leaves, as its model, what it was given."""
    folder = Path(fn_args.serving_model_dir)
    folder.mkdir(parents=True)
    (folder / "given.json").write_text(json.dumps({"config": fn_args.custom_config, "train": fn_args.train_files}))


def artifact(kind, folder, splits=None):
    made = kind()
    made.uri = str(folder)
    if splits:
        made.split_names = json.dumps(splits)
    return made


def test_the_run_fn_is_given_the_pattern_of_each_splits_raw_files_beside_its_own_config(tmp_path):
    inputs = {
        "examples": [artifact(standard_artifacts.Examples, tmp_path / "transformed", ["train", "eval"])],
        "raw_examples": [artifact(standard_artifacts.Examples, tmp_path / "raw", ["train", "eval", "test"])],
        "transform_graph": [artifact(standard_artifacts.TransformGraph, tmp_path / "graph")],
    }
    outputs = {
        "model": [artifact(standard_artifacts.Model, tmp_path / "model")],
        "model_run": [artifact(standard_artifacts.ModelRun, tmp_path / "run")],
    }
    properties = {
        "train_args": json.dumps({"splits": ["train"]}),
        "eval_args": json.dumps({"splits": ["eval"]}),
        "run_fn": f"{__name__}.run_fn",
        "custom_config": json.dumps({"trainer": "{}"}),
    }
    trainer.Executor().Do(inputs, outputs, properties)
    [file] = (tmp_path / "model").rglob("given.json")
    given = json.loads(file.read_text())
    assert given["config"]["trainer"] == "{}"
    assert given["config"][RAW_FILES] == {split: f"{tmp_path}/raw/Split-{split}/*" for split in ("train", "eval", "test")}
    assert given["train"] == [f"{tmp_path}/transformed/Split-train/*"]
