"""Every loop with every strategy, task and step: it trains, what it has saved is read back and answers, or one line says why not."""

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.transform_run import of_table, serialized
from trainer import fit, gradient_tape
from trainer.errors import ConfigError
from trainer.features.category import CategoryFeature
from trainer.features.number import NumberFeature
from trainer.run import run
from trainer.steps import STEPS
from trainer.tasks import Binary, Multiclass, Multilabel, Regression

TASKS = {"binary": Binary(), "multiclass": Multiclass(), "multilabel": Multilabel(), "regression": Regression()}
STRATEGIES = ("one_device", "cpu", "mirrored")
LOOPS = [(fit, "standard"), *((gradient_tape, step) for step in STEPS)]
CONFIG = {"epochs": 12, "batch_size": 32, "learning_rate": 0.01, "early_stopping": None}
ROWS = {"train": 200, "eval": 70}

# What each step cannot be, with what is said; the loop `fit` with another step is refused by the config, which other tests hold.
NOT_FOR = {
    "gan": ("binary", "multiclass", "multilabel", "regression"),
    "reinforce": ("multilabel", "regression"),
    "maml": ("multilabel", "regression"),
}


def labels(task, size, colour):
    large, red = size > 0, colour == "red"
    if task == "regression":
        return (3.0 * size + 10.0 * red).tolist()
    if task == "binary":
        return np.where(large, "yes", "no").tolist()
    if task == "multiclass":
        return np.where(large, np.where(red, "a", "b"), "c").tolist()
    return [[name for name, there in (("large", each), ("red", other)) if there] for each, other in zip(large, red, strict=True)]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """tables(task, step): rows of a number and a category, or of two numbers for `mixup`, whose label follows from both."""
    made = {}

    def table(task, step="standard"):
        key = (task, step == "mixup")
        if key not in made:
            splits = {}
            for split, rows in ROWS.items():
                random = np.random.default_rng(rows)
                size, colour = random.normal(size=rows), random.choice(["red", "blue"], rows)
                colours = (colour == "red").astype(float) if step == "mixup" else colour
                splits[split] = {"size": size.tolist(), "colour": colours.tolist(), "y": labels(task, size, colour)}
            features = {"size": NumberFeature(), "colour": NumberFeature() if step == "mixup" else CategoryFeature()}
            made[key] = of_table(tmp_path_factory.mktemp(task), splits, features, "y", TASKS[task])
        return made[key]

    return table


@pytest.fixture(scope="module")
def teachers(tables, tmp_path_factory):
    """teachers(task): the folder of a model that has learnt it."""
    made = {}

    def teacher(task):
        if task not in made:
            made[task] = trained(tables(task), tmp_path_factory.mktemp("teacher"), fit, "one_device", "standard").serving_model_dir
        return made[task]

    return teacher


def trained(table, folder, loop, strategy, step, teacher=None):
    name = loop.__name__.rpartition(".")[2]
    arguments = table.fn_args(
        folder, loop, loop=name, strategy=strategy, step=step, model="tabular" if step == "mixup" else "wide_deep", **CONFIG
    )
    arguments.base_model = teacher
    run(arguments, loop.train)
    return arguments


def answers(table, folder, red, blue):
    """What the saved model says of 2 and -2, red and blue."""
    columns = {"size": [2.0, -2.0, 2.0, -2.0], "colour": [red, red, blue, blue]}
    served = tf.saved_model.load(folder).signatures["serving_default"](tf.constant(serialized(columns, table.graph.raw_metadata.schema)))
    return {name: values.numpy() for name, values in served.items()}


def check(task, found):
    if task == "regression":
        assert (found["values"].argmax(), found["values"].argmin()) == (0, 3)
    elif task == "multilabel":
        assert (found["probabilities"] > 0.5).tolist()[0] == [True, True]
    else:
        expected = {"binary": ["yes", "no", "yes", "no"], "multiclass": ["a", "c", "b", "c"]}[task]
        assert [each.decode() for each in found["classes"]] == expected


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("loop", "step"), LOOPS, ids=[f"{loop.__name__.rpartition('.')[2]}-{step}" for loop, step in LOOPS])
def test_it_learns_and_what_is_saved_answers_or_it_is_refused_in_a_line(tables, teachers, tmp_path, loop, strategy, step, task):
    teacher = teachers(task) if step == "distill" else None
    if task in NOT_FOR.get(step, ()):
        with pytest.raises(ConfigError, match=rf"^[^\n]*Expected[^\n]*{step}[^\n]*$"):
            trained(tables(task), tmp_path, loop, strategy, step, teacher)
        return
    table = tables(task, step)
    arguments = trained(table, tmp_path, loop, strategy, step, teacher)
    check(task, answers(table, arguments.serving_model_dir, *((1.0, 0.0) if step == "mixup" else ("red", "blue"))))
