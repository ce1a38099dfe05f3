"""From a table with a rare class to the saved model: weights are learnt with, the threshold is found, and both decide what is served."""

import numpy as np
import pytest
import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs

from tests.trainer.transform_run import serialized
from trainer import fit
from trainer.config import TrainerConfig
from trainer.export import exported_problem
from trainer.tasks import Binary

LABELS = ["ham"] * 45 + ["spam", "ham"] * 6  # a row's number is its size: spam is among the largest


@pytest.fixture(scope="module")
def table(learn):
    return learn(Binary(), LABELS, LABELS)


def exported(table, folder, **task):
    """(its problem, what it serves for the rows of LABELS) of a model that is learnt with these settings of the task."""
    problem = table.problem.model_copy(update={"task": Binary(**task)})
    trainer = TrainerConfig(epochs=6, batch_size=16, learning_rate=0.01, strategy="one_device", early_stopping=None)
    fit.run_fn(
        FnArgs(
            train_files=table.files("train"),
            eval_files=table.files("eval"),
            transform_graph_path=table.folder,
            serving_model_dir=str(folder / "model"),
            model_run_dir=str(folder / "run"),
            custom_config={"trainer": trainer.to_json(), "problem": problem.to_json()},
        )
    )
    rows = serialized({"size": [float(row) for row in range(len(LABELS))]}, table.graph.raw_metadata.schema)
    served = tf.saved_model.load(str(folder / "model")).signatures["serving_default"](examples=tf.constant(rows))
    return exported_problem(str(folder / "model")), {name: value.numpy() for name, value in served.items()}


def test_the_threshold_that_is_found_is_saved_and_decides_the_served_class(table, tmp_path):
    problem, served = exported(table, tmp_path, threshold="auto")
    assert 0 < problem.task.threshold < 0.5
    assert (served["classes"] == b"spam").tolist() == (served["probabilities"][:, 1] >= problem.task.threshold).tolist()
    assert (served["classes"] == b"spam").sum() >= 6


def test_weights_decide_the_served_class_and_probabilities_stay_those_of_the_data(table, tmp_path):
    problem, served = exported(table, tmp_path, class_weights="balanced")
    share = LABELS.count("spam") / len(LABELS)
    assert problem.task.weights == pytest.approx((0.5 / (1 - share), 0.5 / share))
    positive = served["probabilities"][:, 1]
    assert (served["classes"] == b"spam").tolist() == (positive > share).tolist()
    assert positive.mean() == pytest.approx(share, abs=0.06)  # not the half that balanced rows have
    np.testing.assert_allclose(served["probabilities"].sum(axis=1), 1, rtol=1e-5)
