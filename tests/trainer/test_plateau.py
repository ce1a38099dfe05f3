"""`trainer.schedule: plateau`: the learning rate falls when the eval split's metric no longer improves, in both loops alike."""

import numpy as np
import pydantic
import pytest

from tests.trainer.interrupted import LOOPS, assert_same_end, execute, killed
from trainer.config import TrainerConfig

PLATEAU = {"schedule": "plateau", "epochs": 12, "batch_size": 100, "learning_rate": 0.05, "early_stopping": None}
CHECKPOINTS = {"checkpoints": {"epochs": 1}}  # three steps an epoch


def rates(losses, patience, rate):
    """The learning rate of each epoch with so many of patience."""
    best, wait, found = np.inf, 0, []
    for loss in losses:
        found.append(rate)
        best, wait = (loss, 0) if loss < best else (best, wait + 1)
        if wait == patience:
            rate, wait = rate / 2, 0
    return found


@pytest.mark.parametrize(("stop", "patience"), [(None, 2), ({"patience": 6}, 3), ({"patience": 1}, 1)], ids=str)
def test_it_is_halved_before_the_training_is_stopped_with_the_same_bits_in_both_loops(scaled, tmp_path, stop, patience):
    ends = [execute(loop, scaled, tmp_path / loop, **{**PLATEAU, "early_stopping": stop}) for loop in LOOPS]
    assert_same_end(*ends)
    history = ends[0].history
    np.testing.assert_allclose(history["learning_rate"], rates(history["val_loss"], patience, 0.05), rtol=1e-6)
    assert stop == {"patience": 1} or history["learning_rate"][-1] < 0.05


@pytest.mark.parametrize("loop", LOOPS)
def test_an_interrupted_training_has_waited_as_long_and_has_the_rate_that_it_had(scaled, tmp_path, loop):
    settings = {**PLATEAU, **CHECKPOINTS}
    whole = execute(loop, scaled, tmp_path / "whole", **settings)
    rate = whole.history["learning_rate"]
    last = next(epoch for epoch, each in enumerate(rate) if each < rate[0]) + 1
    for epochs in (last - 2, 2):  # it has waited, or has just been halved
        killed(loop, scaled, tmp_path / "killed", {"gradient_tape": 3 * epochs + 1, "fit": 2 * (epochs + 1)}[loop], **settings)
    again = execute(loop, scaled, tmp_path / "killed", **settings)
    assert again.begin.epoch == last
    assert_same_end(whole, again)


def test_it_follows_a_metric_of_which_more_is_better(scaled, tmp_path):
    settings = {**PLATEAU, "early_stopping": {"metric": "accuracy", "patience": 4}}
    history = execute("gradient_tape", scaled, tmp_path, **settings).history
    np.testing.assert_allclose(history["learning_rate"], rates([-each for each in history["val_accuracy"]], 2, 0.05), rtol=1e-6)


def test_a_warmup_is_refused():
    with pytest.raises(pydantic.ValidationError, match=r"trainer\.warmup: Expected 0 with `trainer\.schedule: plateau`.*Received: 0\.1\."):
        TrainerConfig(schedule="plateau", warmup=0.1)
