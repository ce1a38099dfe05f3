"""Which metric stops a training and which weights are the best, in both loops."""

import numpy as np
import pytest

from tests.trainer.interrupted import LOOPS, assert_same_end, execute, killed
from trainer.config import TrainerConfig
from trainer.errors import ConfigError
from trainer.tasks import Binary, Multilabel, Regression
from trainer.watched import fault

RIGHT = """
import tensorflow as tf

def right(y_true, y_pred):
    return tf.cast(tf.equal(tf.cast(y_true, tf.int64), tf.argmax(y_pred, -1)), tf.float32)
"""
ON_ACCURACY = {
    "epochs": 20,
    "batch_size": 100,
    "learning_rate": 0.02,
    "early_stopping": {"patience": 2, "metric": "accuracy"},
    "best_by": "accuracy",
}
OWN = {
    "metrics": ["own.py:right"],
    "code": {"own.py": RIGHT},
    "metric_modes": {"right": "max"},
    "best_by": "right",
    "early_stopping": {"patience": 2, "metric": "right"},
}


@pytest.mark.parametrize("settings", [{}, OWN], ids=["accuracy", "own"])
def test_training_stops_and_keeps_its_best_by_a_metric_of_which_more_is_better_bit_for_bit_alike(scaled, tmp_path, settings):
    settings = {**ON_ACCURACY, **settings}
    ends = [execute(loop, scaled, tmp_path / loop, **settings) for loop in LOOPS]
    assert_same_end(*ends)
    right = ends[0].history[f"val_{settings['best_by']}"]
    best, by_loss = int(np.argmax(right)), int(np.argmin(ends[0].history["val_loss"]))
    assert len(right) == best + 3 < 20
    assert right[best] > 0.5
    assert best != by_loss  # or the test would hold with the loss, too


@pytest.mark.parametrize("loop", LOOPS)
def test_the_weights_that_come_back_are_those_of_the_best_epoch(scaled, tmp_path, loop):
    by_accuracy = execute(loop, scaled, tmp_path / "accuracy", **ON_ACCURACY)
    epochs = int(np.argmax(by_accuracy.history["val_accuracy"])) + 1
    there = execute(loop, scaled, tmp_path / "there", **{**ON_ACCURACY, "epochs": epochs, "weights": "last"})
    for left, right in zip(by_accuracy.best, there.best, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("loop", LOOPS)
def test_after_an_interruption_the_metric_is_compared_with_the_best_one_before_it(scaled, tmp_path, loop):
    settings = {**ON_ACCURACY, "checkpoints": {"epochs": 1}}
    whole = execute(loop, scaled, tmp_path / "whole", **settings)
    best = int(np.argmax(whole.history["val_accuracy"]))
    killed(loop, scaled, tmp_path / "killed", {"gradient_tape": 3, "fit": 2}[loop] * (best + 2) + 1, **settings)
    again = execute(loop, scaled, tmp_path / "killed", **settings)
    assert again.begin.epoch > best
    assert_same_end(whole, again)


def test_a_metric_that_is_not_computed_ends_the_run_before_the_training(scaled, tmp_path):
    with pytest.raises(ConfigError, match=r"^trainer\.best_by: Expected one of loss, accuracy, .*'acuracy'\. Did you mean 'accuracy'\?"):
        execute("fit", scaled, tmp_path, best_by="acuracy")


@pytest.mark.parametrize(
    ("task", "settings", "expected"),
    [
        (Binary(), {}, None),
        (Binary(), {"best_by": "accuracy"}, None),
        (
            Binary(),
            {"best_by": "mae"},
            "trainer.best_by: Expected one of loss, accuracy, which are shown for every epoch. Received: 'mae'. ",
        ),
        (Binary(), {"best_by": "val_accuracy"}, "Received: 'val_accuracy'. Did you mean 'accuracy'?"),
        (Binary(), {"metrics": ["mae"], "best_by": "mae"}, None),
        (Binary(), {"metrics": ["mae"], "best_by": "accuracy"}, "trainer.best_by: Expected one of loss, mae, "),
        (Regression(), {"early_stopping": {"metric": "mae"}}, None),
        (Regression(), {"early_stopping": {"metric": "accuracy"}}, "trainer.early_stopping.metric: Expected one of loss, mae, "),
        (Multilabel(), {"best_by": "accuracy"}, None),
        (Regression(), {"metrics": ["own.py:right"], "best_by": "right"}, "Set `trainer.metric_modes: {right: max}`, or `min`"),
        (Multilabel(), {"metrics": ["own.py:right"], "best_by": "right", "metric_modes": {"right": "min"}}, None),
        (Binary(), {"metrics": ["own.py:right"], "metric_modes": {"rigth": "min"}}, "of your own (right). Received: 'rigth'. Did you mean"),
        (Binary(), {"metric_modes": {"accuracy": "min"}}, "trainer.metric_modes: Expected metrics of your own (none, for "),
        (Binary(), {"metrics": ["own.py:accuracy"], "best_by": "accuracy"}, "Expected to know whether more of 'accuracy' is better."),
    ],
)
def test_the_metrics_that_a_task_shows_can_be_watched_where_it_is_known_which_end_is_better(task, settings, expected):
    config = TrainerConfig(**settings)
    found = fault(config, task.metric_names(config))
    assert (found is None) if expected is None else (expected in found)


@pytest.mark.parametrize("task", [Binary(classes=2), Regression(), Multilabel(names=("a", "b"))], ids=lambda task: task.kind)
def test_metrics_are_called_as_it_is_said(task):
    config = TrainerConfig(metrics=["accuracy", "own.py:right"], code={"own.py": RIGHT})
    called = [getattr(metric, "name", metric) for metric in task.metrics(config)]
    assert called == task.metric_names(config)
