"""A model that answers raw rows otherwise than the one that was trained is not exported."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from tests.trainer.conftest import ROWS
from tests.trainer.transform_run import of_table, serialized
from trainer import fit
from trainer.config import TrainerConfig
from trainer.errors import TrainingError
from trainer.export import export, exported_problem, parity
from trainer.features.category import CategoryFeature
from trainer.features.number import NumberFeature
from trainer.models import build_model
from trainer.run import run
from trainer.tasks import Multilabel, Regression

NOISE = """
import random
import keras
from keras import layers

class Noise(layers.Layer):
    def call(self, x):
        return x + random.random() * keras.ops.one_hot(3, 10)

def build(inputs, outputs, **settings):
    x = keras.Input(inputs["pixels"].shape, name="pixels")
    return keras.Model(x, Noise()(layers.Dense(outputs)(layers.Flatten()(x))))
"""


@pytest.fixture(scope="module")
def exported(scaled, tmp_path_factory):
    """(the folder of an exported picture model, the model, its graph)."""
    graph = tft.TFTransformOutput(scaled.graph_path)
    spec = {name: feature for name, feature in graph.transformed_feature_spec().items() if name != "label"}
    model = build_model(TrainerConfig(seed=3), scaled.problem.task, spec)
    folder = str(tmp_path_factory.mktemp("exported"))
    export(model, graph, scaled.problem, folder, rows=scaled.raw[ROWS["eval"]])
    return folder, model, graph


def with_bias(model, shift):
    """The same model with that much more of one class."""
    changed = keras.models.clone_model(model)
    changed.set_weights([*model.get_weights()[:-1], model.get_weights()[-1] + np.eye(10, dtype=np.float32)[4] * shift])
    return changed


def test_the_last_digits_are_no_difference(scaled, exported):
    folder, model, graph = exported
    assert parity.fault(folder, with_bias(model, 1e-6), graph, scaled.problem, scaled.raw[:50]) is None


def test_another_weight_is_a_difference_in_one_line_that_says_the_output_and_the_row(scaled, exported):
    folder, model, graph = exported
    changed = with_bias(model, 0.01)
    [wanted, received] = (tf.nn.softmax(each(scaled.images[:50] / np.float32(255), training=False)).numpy() for each in (changed, model))
    clause = parity.fault(folder, changed, graph, scaled.problem, scaled.raw[:50])
    row = np.abs(wanted - received).max(axis=1).argmax()
    assert clause.startswith(f"`probabilities` is up to {np.abs(wanted - received).max():.3g} off, in row {row} ")


def test_numbers_that_are_none_in_one_of_them_are_a_difference(scaled, exported):
    folder, model, graph = exported
    clause = parity.fault(folder, with_bias(model, np.nan), graph, scaled.problem, scaled.raw[:5])
    assert clause.startswith("`probabilities` is up to inf off, in row 0 ")


def test_types_of_few_digits_may_differ_by_more():
    layers = [keras.layers.Dense(3), keras.layers.Dense(3, dtype="mixed_bfloat16")]
    plain, mixed = (keras.Sequential([keras.Input((2,)), keras.layers.Dense(3), layer]) for layer in layers)
    assert parity.tolerance(plain) == 1e-4
    assert parity.tolerance(mixed) == 8 * 2.0**-7


@pytest.mark.parametrize(
    ("task", "labels"),
    [
        (Multilabel(), [["red", "big"], ["big"], []]),
        pytest.param(Regression(), [1e6, 1e6 + 40, 1e6 - 20.0], marks=pytest.mark.slow),
    ],
    ids=["multilabel", "regression"],
)
def test_every_task_is_compared_with_gaps_and_all_and_what_is_decided_to_the_letter(tmp_path, task, labels):
    columns = {"size": [1.5, None, -3.0] * 10, "colour": ["a", "b", None] * 10, "y": labels * 10}
    features = {"size": NumberFeature(), "colour": CategoryFeature()}
    (tmp_path / "table").mkdir()
    table = of_table(tmp_path / "table", {"train": columns, "eval": columns}, features, "y", task)
    models = []

    def train(model, *args):
        models.append(model)
        return fit.train(model, *args)

    run(table.fn_args(tmp_path, fit, epochs=1), train)
    folder = str(tmp_path / fit.__name__ / "served")
    problem = exported_problem(folder)
    rows = serialized({name: columns[name] for name in features}, table.graph.raw_metadata.schema)
    assert parity.fault(folder, models[0], table.graph, problem, rows) is None
    if problem.task.names:
        renamed = problem.task.model_copy(update={"names": problem.task.names[::-1]})
        clause = parity.fault(folder, models[0], table.graph, problem.model_copy(update={"task": renamed}), rows)
        assert "is b'" in clause or "is [b'" in clause, clause
    else:
        models[0].set_weights([*models[0].get_weights()[:-1], models[0].get_weights()[-1] + 0.05])  # 1 of a million
        assert parity.fault(folder, models[0], table.graph, problem, rows).startswith("`values` is up to ")


def test_a_model_that_answers_otherwise_than_it_was_trained_ends_the_run_and_leaves_no_model(scaled, tmp_path):
    fn_args = scaled.fn_args(tmp_path, epochs=1, model="noise.py:build", code={"noise.py": NOISE}, strategy="one_device")
    fn_args.custom_config |= scaled.raw_files()
    with pytest.raises(TrainingError, match=r"^Expected the exported model to answer as the trained one does\. .*`probabilities`.*\.$"):
        run(fn_args, fit.train)
    assert not tf.io.gfile.exists(fn_args.serving_model_dir)
