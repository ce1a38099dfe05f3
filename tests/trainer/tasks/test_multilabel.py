"""Several labels for a row: what becomes of them in training by both loops, in the Evaluator's hands and in an answer."""

import json

import numpy as np
import pytest
import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs

from tests.trainer.transform_run import serialized
from trainer import fit, gradient_tape
from trainer.config import TrainerConfig
from trainer.errors import DataError
from trainer.export import exported_problem
from trainer.input_pipeline import eval_batches, read_split, train_batches
from trainer.run import run
from trainer.tasks import Multilabel

CONFIG = TrainerConfig(epochs=1, batch_size=4)
TRAIN = [["red", "round"], [], ["red"], ["red", "丸い"], ["round", "red", "red"], ["round"]] * 12
EVAL = [["round"], ["unheard of"], [], ["丸い", "red"]] * 4


@pytest.fixture(scope="module")
def table(learn):
    return learn(Multilabel(separator=";"), TRAIN, EVAL)


@pytest.fixture(scope="module")
def task(table):
    return table.problem.task.resolved(table.graph)


def split_of(table, task, name):
    return read_split(table.files(name), table.graph.transformed_feature_spec(), CONFIG, task.parsed_label)


def rows_in(batches):
    return sorted(tuple(row) for _, labels in batches.dataset for row in labels.numpy().tolist())


def marks(task, rows):
    """What a loss is given for lists of names, in order."""
    return sorted(tuple(float(name in row) for name in task.names) for row in rows)


def test_the_labels_are_the_train_splits_the_most_frequent_first(task):
    assert (task.names, task.outputs) == (("red", "round", "丸い"), 3)


@pytest.mark.parametrize("kept", [True, False])
def test_a_row_is_learnt_with_a_mark_for_each_of_its_labels_also_without_any_and_unknown_names_are_left_out(table, task, kept):
    for name, make, rows in (("train", train_batches, TRAIN), ("eval", eval_batches, EVAL)):
        split = split_of(table, task, name)
        split = split if kept else split._replace(rows=None)  # as where neither memory nor disk has room
        batches = make(split, CONFIG, task)
        assert batches.examples == len(rows)
        assert rows_in(batches) == marks(task, rows)


def test_what_is_served_are_the_names_above_one_half_joined_beside_all_probabilities(task):
    logits = tf.constant([[2.0, -1.0, 0.5], [-1.0, -2.0, -3.0]])
    served = {name: value.numpy() for name, value in task.served(task.activated(logits)).items()}
    assert [text.decode() for text in served["classes"]] == ["red;丸い", ""]
    assert served["predicted"].tolist() == [[True, False, True], [False] * 3]
    assert [[name.decode() for name in row] for row in served["class_names"]] == [list(task.names)] * 2
    np.testing.assert_allclose(served["probabilities"], 1 / (1 + np.exp(-logits.numpy())), rtol=1e-6)


def test_the_accuracy_while_training_is_the_share_of_rows_that_are_told_exactly(task):
    [metric] = task.metrics(CONFIG)
    metric.update_state(tf.constant([[1.0, 0, 1], [0, 0, 0], [1, 1, 0]]), tf.constant([[9.0, -1, 1], [-1, -1, -1], [1, -1, -1]]))
    assert float(metric.result()) == pytest.approx(2 / 3)


def test_a_train_split_without_any_label_is_refused(learn):
    table = learn(Multilabel(separator=";"), [["a"], [], []], [["a"]])
    graph = table.graph
    graph.vocabulary_by_name = lambda name: []
    with pytest.raises(DataError, match=r"^Expected 1 to 10,000 different labels .* Received: 0\. Give rows that have labels, or another"):
        Multilabel(separator=";").resolved(graph)


@pytest.fixture(scope="module")
def exported(table, tmp_path_factory):
    """{loop: (history, folder of the SavedModel)} of the ensemble for tables, trained by both loops."""
    results = {}
    for name, loop in (("fit", fit), ("gradient_tape", gradient_tape)):
        folder = tmp_path_factory.mktemp(name)
        config = TrainerConfig(loop=name, model="tabular", epochs=2, batch_size=16, strategy="one_device")
        arguments = FnArgs(
            train_files=table.files("train"),
            eval_files=table.files("eval"),
            transform_graph_path=table.folder,
            serving_model_dir=str(folder / "serving_model"),
            model_run_dir=str(folder / "model_run"),
            custom_config={"trainer": config.to_json(), "problem": table.problem.to_json()},
        )
        results[name] = run(arguments, loop.train).history, str(folder / "serving_model")
    return results


def asked(folder, signature, **inputs):
    answer = tf.saved_model.load(folder).signatures[signature](**inputs)
    return {name: value.numpy() for name, value in answer.items()}


def test_both_loops_end_with_an_equal_history_and_equal_answers(exported, table):
    rows = serialized({"size": [1.0, 40.0, 7.0]}, table.graph.raw_metadata.schema)
    (fitted, first), (taped, second) = exported.values()
    assert set(fitted) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert fitted == taped
    answers = [asked(folder, "serving_default", examples=tf.constant(rows)) for folder in (first, second)]
    np.testing.assert_array_equal(answers[0]["probabilities"], answers[1]["probabilities"])
    assert answers[0]["probabilities"].shape == (3, 3)
    assert (np.abs(answers[0]["probabilities"].sum(axis=1) - 1) > 1e-3).any()  # each label for itself


def test_the_saved_model_scores_each_label_and_tells_what_a_raw_label_is_evaluated_as(exported, table, task):
    _, folder = exported["fit"]
    assert exported_problem(folder).task.names == task.names
    rows = serialized({"size": [1.0] * 3, "label": [["丸い", "red"], [], ["unheard of"]]}, table.graph.raw_metadata.schema)
    scores = asked(folder, "classify", inputs=tf.constant(rows))
    assert [name.decode() for name in scores["classes"][0]] == list(task.names)
    np.testing.assert_array_equal(scores["scores"], asked(folder, "serving_default", examples=tf.constant(rows))["probabilities"])
    label = asked(folder, "transform_label", examples=tf.constant(rows))["label"]
    assert (label.dtype, label.tolist()) == (np.float32, [[1, 0, 1], [0, 0, 0], [0, 0, 0]])


def test_the_task_crosses_a_components_boundary_as_json(task):
    assert Multilabel.from_json(json.dumps(json.loads(task.to_json()))) == task


@pytest.mark.parametrize("loss", ["binary_crossentropy", "binary_focal_crossentropy"])
def test_smoothed_labels_are_between_yes_and_no(loss):
    task, marks, logits = Multilabel(names=("a", "b")), tf.constant([[1.0, 0.0]]), tf.constant([[2.0, -1.0]])
    smoothed = task.loss(TrainerConfig(loss=loss, label_smoothing=0.2))
    plain = task.loss(TrainerConfig(loss=loss))
    assert float(smoothed(marks, logits)) == pytest.approx(float(plain(0.8 * marks + 0.1, logits)), rel=1e-5)
