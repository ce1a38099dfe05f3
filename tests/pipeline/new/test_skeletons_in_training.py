"""The skeletons as they are written train on a table of every kind of column, and what they give is served."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import pipeline.new
from tests.trainer.transform_run import of_table
from trainer import fit, gradient_tape
from trainer.features.category import CategoryFeature
from trainer.features.number import NumberFeature
from trainer.features.text import TextFeature
from trainer.run import run
from trainer.tasks import Multiclass, Regression

HERE = Path(pipeline.new.__file__).parent
CODE = {"my_model.py": (HERE / "model.py").read_text(), "my_steps.py": (HERE / "step.py").read_text()}
FEATURES = {"size": NumberFeature(), "colour": CategoryFeature(), "note": TextFeature()}


def rows(count, label):
    random = np.random.default_rng(count)
    size, colour = random.normal(size=count), random.choice(["red", "green", "blue"], count)
    note = [" ".join(random.choice(["a", "long", "short", "note"], random.integers(1, 9))) for _ in range(count)]
    return {"size": size.tolist(), "colour": colour.tolist(), "note": note, "y": [label(*each) for each in zip(size, colour, strict=True)]}


@pytest.fixture(params=["multiclass", "regression"])
def table(request, tmp_path):
    task, label = {
        "multiclass": (Multiclass(), lambda size, colour: "big" if size > 0 else str(colour)),
        "regression": (Regression(), lambda size, colour: float(2 * size)),
    }[request.param]
    (tmp_path / "table").mkdir()
    return of_table(tmp_path / "table", {"train": rows(200, label), "eval": rows(60, label)}, FEATURES, "y", task)


@pytest.mark.slow
def test_a_table_is_learnt_by_the_models_skeleton_and_by_the_steps(table, tmp_path):
    is_classes = table.problem.task.kind == "multiclass"
    own = {"model": "my_model.py:build", "code": CODE, "batch_size": 20, "epochs": 15, "learning_rate": 0.01}
    for loop, more in ((fit, {}), (gradient_tape, {"step": "my_steps.py:step", "precision": "mixed_float16"} if is_classes else {})):
        arguments = table.fn_args(tmp_path, loop, loop=loop.__name__.rpartition(".")[2], **own, **more)
        losses = run(arguments, loop.train).history["val_loss"]
        assert min(losses) < 0.6 * losses[0]
        served = tf.saved_model.load(arguments.serving_model_dir).signatures["predict_columns"]
        answer = served(size=tf.constant([1.0]), colour=tf.constant(["red"]), note=tf.constant(["a note"]))
        assert answer["classes"].numpy() == [b"big"] if is_classes else abs(answer["values"].numpy()[0] - 2) < 1
