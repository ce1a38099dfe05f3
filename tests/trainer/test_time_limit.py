"""`trainer.minutes`: a training that ends by the clock, in both loops; the clock is the tests'."""

import itertools

import numpy as np
import pytest

from tests.trainer.interrupted import LOOPS, assert_same_end, execute, killed

MINUTES = {"checkpoints": {"steps": 5}, "epochs": 20}  # two calls of five steps an epoch, in both loops


@pytest.fixture(autouse=True)
def _a_minute_a_look(monkeypatch):
    """The clock is looked at when a training begins, and after each call."""
    ticks = itertools.count(0, 60)
    monkeypatch.setattr("trainer.time_limit.monotonic", lambda: float(next(ticks)))


@pytest.mark.parametrize(("minutes", "epochs"), [(3, 2), (2.5, 2), (4, 2), (1000, 20)])
def test_the_training_ends_after_the_call_in_which_the_time_is_up_with_the_same_bits_in_both_loops(scaled, tmp_path, minutes, epochs):
    ends = [execute(loop, scaled, tmp_path / loop, **MINUTES, minutes=minutes, early_stopping=None) for loop in LOOPS]
    assert_same_end(*ends)
    assert ends[0].epochs == list(range(epochs))
    assert set(ends[0].history) == {"loss", "accuracy", "val_loss", "val_accuracy"}


@pytest.mark.parametrize("loop", LOOPS)
def test_the_epoch_that_was_cut_short_may_have_the_best_weights(scaled, tmp_path, loop):
    best, last = (execute(loop, scaled, tmp_path / weights, **MINUTES, minutes=3, weights=weights) for weights in ("best", "last"))
    assert np.argmin(best.history["val_loss"]) == 1
    for left, right in zip(best.best, last.best, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("loop", LOOPS)
def test_the_time_before_an_interruption_counts(scaled, tmp_path, loop):
    settings = {**MINUTES, "minutes": 7.0}
    whole = execute(loop, scaled, tmp_path / "whole", **settings)
    assert len(whole.epochs) == 4
    killed(loop, scaled, tmp_path / "killed", {"gradient_tape": 23, "fit": 8}[loop], **settings)
    again = execute(loop, scaled, tmp_path / "killed", **settings)
    assert again.begin.epoch > 0
    assert_same_end(whole, again)
