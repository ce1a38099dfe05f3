"""The seam for models of columns: whichever loop trains, the weights end bit for bit the same, also after many odd batches."""

import numpy as np
import pytest

from tests.trainer.transform_run import of_table
from trainer import fit, gradient_tape
from trainer.features.category import CategoryFeature
from trainer.features.number import NumberFeature
from trainer.run import run
from trainer.tasks import Binary, Multiclass, Multilabel, Regression

# Neither a batch nor its last, smaller one divides by two only: then a product by the reciprocal is no division.
ROWS = {"train": 330, "eval": 90}
CONFIG = {"epochs": 12, "batch_size": 60, "optimizer": "adamw", "weight_decay": 0.01, "clip_norm": 1.0, "schedule": "cosine"}


def split(count, label):
    random = np.random.default_rng(count)
    size, weight, colour = random.normal(size=count), random.normal(size=count), random.choice(["red", "green", "blue"], count)
    labels = [label(*row) for row in zip(size, weight, colour, strict=True)]
    return {"size": size.tolist(), "weight": weight.tolist(), "colour": colour.tolist(), "y": labels}


@pytest.mark.parametrize(
    ("task", "label"),
    [
        (Multiclass(), lambda size, weight, colour: "big" if size > 0.5 else "heavy" if weight > 0 else colour),
        pytest.param(Binary(positive="yes"), lambda size, weight, colour: "yes" if size + weight > 0 else "no", marks=pytest.mark.slow),
        pytest.param(Multilabel(), lambda size, weight, colour: [colour, *(["big"] if size > 0 else [])], marks=pytest.mark.slow),
        (Regression(), lambda size, weight, colour: float(2 * size + weight)),
    ],
    ids=["multiclass", "binary", "multilabel", "regression"],
)
def test_both_loops_end_with_equal_weights_and_an_equal_history(tmp_path, task, label):
    (tmp_path / "table").mkdir()
    features = {"size": NumberFeature(), "weight": NumberFeature(), "colour": CategoryFeature()}
    table = of_table(tmp_path / "table", {name: split(count, label) for name, count in ROWS.items()}, features, "y", task)
    models, histories = [], []
    for loop in (fit, gradient_tape):
        arguments = table.fn_args(tmp_path, loop, **CONFIG)

        def train(model, *args, loop=loop):
            models.append(model)
            return loop.train(model, *args)

        histories.append(run(arguments, train).history)
    for left, right in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(left, right)
    assert histories[0] == histories[1]
