"""Rows with weights through the whole recipe: batches, both loops, replicas, steps, and a model that wants no weight."""

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.test_constant_prediction import QUANTILE
from tests.trainer.transform_run import of_table
from trainer import fit, gradient_tape
from trainer.config import TrainerConfig
from trainer.features.category import CategoryFeature
from trainer.features.number import NumberFeature
from trainer.input_pipeline import eval_batches, read_split, row_weights_of, train_batches
from trainer.run import run
from trainer.shards import Shard
from trainer.tasks import Binary, Regression

FAR = """
def far(y_true, y_pred):
    return tf.abs(y_true - y_pred)
"""
ROWS = {"train": 90, "eval": 33}
FEATURES = {"size": NumberFeature(), "colour": CategoryFeature()}
LINEAR = {"model": "linear", "optimizer": "sgd", "learning_rate": 0.1, "epochs": 2, "batch_size": 32, "strategy": "one_device"}
LOOPS = {"fit": fit, "gradient_tape": gradient_tape}


def rows(count):
    random = np.random.default_rng(count)
    size, colour = random.normal(size=count), random.choice(["red", "green"], count)
    number = np.round(3 * size + (colour == "red"), 3)
    return {"size": size.tolist(), "colour": colour.tolist(), "y": number.tolist(), "w": np.abs(number).tolist()}


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """A table in which a row weighs as much as its label's size."""
    return of_table(
        tmp_path_factory.mktemp("numbers"), {name: rows(count) for name, count in ROWS.items()}, FEATURES, "y", Regression(), weight="w"
    )


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """A table of two classes."""
    splits = {name: rows(count) for name, count in ROWS.items()}
    for each in splits.values():
        each["y"] = ["yes" if number > 0 else "no" for number in each["y"]]
    return of_table(tmp_path_factory.mktemp("words"), splits, FEATURES, "y", Binary(positive="yes"), weight="w")


def trained(table, folder, loop="fit", **settings):
    """(the weights, the history)."""
    models = []

    def train(model, *others):
        models.append(model)
        return LOOPS[loop].train(model, *others)

    history = run(table.fn_args(folder, LOOPS[loop], **{**LINEAR, "loop": loop, **settings}), train).history
    return models[0].get_weights(), history


def assert_equal(first, second):
    for left, right in zip(first[0], second[0], strict=True):
        np.testing.assert_array_equal(left, right)
    assert first[1] == second[1]


@pytest.mark.parametrize("shard", [Shard(), Shard(1, 2)], ids=["whole", "shard"])
@pytest.mark.parametrize("cache", ["memory", "none"])
def test_each_row_keeps_its_weight_wherever_the_rows_wait(numbers, shard, cache):
    config, task = TrainerConfig(cache=cache, batch_size=32, epochs=2), numbers.problem.task
    splits = [
        read_split(numbers.files(name), numbers.graph.transformed_feature_spec(), config, shard=shard, is_known=task.is_known)
        for name in ROWS
    ]
    for batches in (train_batches(splits[0], config, task), eval_batches(splits[1], config, task)):
        for x, y in batches.dataset:
            assert "weight" not in x and "label" not in x
            np.testing.assert_allclose(np.abs(y[:, 0]), y[:, 1], rtol=1e-6)
    np.testing.assert_allclose(row_weights_of(splits[0]), np.abs(splits[0].labels), rtol=1e-6)


def test_both_loops_end_with_equal_weights_and_the_exported_model_wants_no_weight(numbers, tmp_path):
    assert_equal(*(trained(numbers, tmp_path, loop) for loop in LOOPS))
    served = tf.saved_model.load(str(tmp_path / "trainer.fit" / "served"))
    columns = rows(4)
    given = {name: tf.constant(columns[name])[:, tf.newaxis] for name in FEATURES}
    assert set(served.signatures["serving_default"].structured_input_signature[1]) <= {*FEATURES, "examples"}
    feature = {
        "size": tf.train.Feature(float_list=tf.train.FloatList(value=[float(given["size"][0, 0])])),
        "colour": tf.train.Feature(bytes_list=tf.train.BytesList(value=[given["colour"][0, 0].numpy()])),
    }
    example = tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()
    assert served.predict_examples(tf.constant([example]))["values"].shape == (1,)


@pytest.mark.slow
def test_two_replicas_learn_what_one_device_does(numbers, tmp_path):
    one, two = (trained(numbers, tmp_path / name, "gradient_tape", strategy=name) for name in ("one_device", "mirrored"))
    for left, right in zip(one[0], two[0], strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-6)
    assert one[1]["val_loss"] == pytest.approx(two[1]["val_loss"], rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"precision": "mixed_float16", "model": "tabular"},
        {"accumulate": 2},
        {"strategy": "mirrored", "cache": "none"},
        {"loss": "own.py:loss", "metrics": ["own.py:far"], "code": {"own.py": QUANTILE + FAR}},
    ],
    ids=["float16", "accumulated", "mirrored", "own"],
)
def test_both_loops_are_equal_with_every_option(numbers, tmp_path, settings):
    assert_equal(*(trained(numbers, tmp_path, loop, **settings) for loop in LOOPS))


@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
def test_a_threshold_is_found_and_labels_are_smoothed(words, tmp_path, loop):
    task = Binary(positive="yes", threshold="auto", class_weights="balanced")
    table = words._replace(problem=words.problem.model_copy(update={"task": task}))
    _, history = trained(table, tmp_path, loop, loss="categorical_crossentropy", label_smoothing=0.1)
    assert history["val_loss"][-1] < history["val_loss"][0]


@pytest.mark.slow
@pytest.mark.parametrize("step", ["sam", "gradient_penalty", "adversarial", "virtual_adversarial"])
def test_steps_of_the_tape_take_rows_with_weights(words, tmp_path, step):
    _, history = trained(words, tmp_path, "gradient_tape", step={"kind": step}, model="tabular")
    assert np.isfinite(history["loss"]).all()


@pytest.mark.slow
def test_a_teachers_answers_are_learnt_as_much_as_a_row_weighs(words, tmp_path):
    trained(words, tmp_path / "teacher")
    arguments = words.fn_args(tmp_path, gradient_tape, **{**LINEAR, "loop": "gradient_tape", "step": {"kind": "distill", "weight": 1.0}})
    arguments.base_model = str(tmp_path / "teacher" / "trainer.fit" / "served")
    assert np.isfinite(run(arguments, gradient_tape.train).history["loss"]).all()
