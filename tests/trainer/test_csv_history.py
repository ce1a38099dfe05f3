"""`history.csv`: each epoch's values and learning rate, which TensorBoard shows as well."""

import csv
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.interrupted import LOOPS, execute, killed
from trainer.csv_history import CsvHistory

COSINE = {"schedule": "cosine", "epochs": 4}
PLATEAU = {"schedule": "plateau", "epochs": 8, "learning_rate": 0.05, "early_stopping": {"patience": 8}}


def file_of(folder):
    """Of the newest execution."""
    (file,) = folder.glob("Trainer/model_run/*/history.csv")
    return file


def columns(folder):
    """The values by the names in the header."""
    with file_of(folder).open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


def scalars(folder, tag):
    """The values of a tag in TensorBoard's file of the train split."""
    (file,) = folder.glob("Trainer/model_run/*/*/train/events.out.tfevents.*")
    events = tf.compat.v1.train.summary_iterator(str(file))
    return [float(tf.make_ndarray(value.tensor)) for event in events for value in event.summary.value if value.tag == tag]


@pytest.mark.parametrize("settings", [COSINE, PLATEAU], ids=["cosine", "plateau"])
def test_it_has_the_history_and_the_learning_rate_that_tensorboard_shows_with_the_same_bits_in_both_loops(scaled, tmp_path, settings):
    ends = [execute(loop, scaled, tmp_path / loop, **settings) for loop in LOOPS]
    first, second = (tmp_path / loop for loop in LOOPS)
    assert file_of(first).read_bytes() == file_of(second).read_bytes()
    found = columns(first)
    assert list(found) == ["epoch", "accuracy", "learning_rate", "loss", "val_accuracy", "val_loss"]
    assert found["epoch"] == [epoch + 1 for epoch in ends[0].epochs]
    for name, values in ends[0].history.items():
        assert found[name] == values
    for folder in (first, second):
        np.testing.assert_allclose(scalars(folder, "epoch_learning_rate"), found["learning_rate"], rtol=1e-6)


def test_the_rate_is_that_of_the_schedule_behind_each_epoch(scaled, tmp_path):
    execute("gradient_tape", scaled, tmp_path, **COSINE)
    expected = [0.001 * (1 + np.cos(np.pi * epoch / 4)) / 2 for epoch in (1, 2, 3, 4)]
    np.testing.assert_allclose(columns(tmp_path)["learning_rate"], expected, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("every", [{"steps": 3}, {"epochs": 2}], ids=str)
@pytest.mark.parametrize("loop", LOOPS)
def test_behind_an_interruption_no_row_is_lost_or_there_twice(scaled, tmp_path, loop, every):
    def change(data, callbacks):
        (history,) = [each for each in callbacks if isinstance(each, CsvHistory)]
        Path(history.filename).write_text("epoch,loss\n1,0.5\n2,0.25\n", encoding="utf-8")  # as a retried task of Kubeflow may find it
        return data, callbacks

    settings = {**COSINE, "checkpoints": every}
    execute(loop, scaled, tmp_path / "whole", **settings)
    at = {"gradient_tape": 33, "fit": {"steps": 33, "epochs": 8}[next(iter(every))]}[loop]  # `fit` has one call an epoch, with `epochs`
    killed(loop, scaled, tmp_path / "killed", at, **settings)
    again = execute(loop, scaled, tmp_path / "killed", change, **settings)
    assert again.begin.epoch > 1
    assert file_of(tmp_path / "killed").read_bytes() == file_of(tmp_path / "whole").read_bytes()
