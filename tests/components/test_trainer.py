"""The Trainer tells its `run_fn` where the rows are as they were before Transform."""

import contextlib
import json
from pathlib import Path

import pytest
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


def leaves_nothing(fn_args):
    """As a worker that is not the chief."""
    Path(fn_args.model_run_dir).mkdir()


def call(tmp_path, run_fn):
    """What TFX hands the executor."""
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
        "run_fn": f"{__name__}.{run_fn}",
        "custom_config": json.dumps({"trainer": "{}"}),
    }
    return inputs, outputs, properties


def test_the_run_fn_is_given_the_pattern_of_each_splits_raw_files_beside_its_own_config(tmp_path):
    trainer.Executor().Do(*call(tmp_path, "run_fn"))
    [file] = (tmp_path / "model").rglob("given.json")
    given = json.loads(file.read_text())
    assert given["config"]["trainer"] == "{}"
    assert given["config"][RAW_FILES] == {split: f"{tmp_path}/raw/Split-{split}/*" for split in ("train", "eval", "test")}
    assert given["train"] == [f"{tmp_path}/transformed/Split-train/*"]


@pytest.mark.parametrize("index", [0, 1])
def test_of_several_workers_only_the_chief_must_leave_a_model(tmp_path, monkeypatch, index):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": index}}))
    with contextlib.nullcontext() if index else pytest.raises(RuntimeError, match="failed to generate model"):
        trainer.Executor().Do(*call(tmp_path, "leaves_nothing"))
    assert (tmp_path / "run").exists()
