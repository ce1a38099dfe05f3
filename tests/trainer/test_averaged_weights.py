"""`trainer.ema`: the moving average of the weights is judged, kept and exported, in both loops; the weights are trained as without it."""

import keras
import numpy as np
import pytest

from tests.trainer.interrupted import LOOPS, assert_same_end, execute, killed
from trainer.input_pipeline import Position

AVERAGED = {"ema": 0.9, "early_stopping": None}
EACH_STEP = {"checkpoints": {"steps": 1}}  # so that a call has one


class Seen(keras.callbacks.Callback):
    """The weights after each step."""

    def __init__(self):
        super().__init__()
        self.weights = []

    def on_train_batch_end(self, batch, logs=None):
        self.weights.append(self.model.get_weights())


def executed(loop, artifacts, folder, **settings):
    """(end, what was seen of each step)."""
    seen = Seen()
    end = execute(loop, artifacts, folder, lambda data, callbacks: (data, [seen, *callbacks]), **{**AVERAGED, **EACH_STEP, **settings})
    return end, seen


def averages(weights, momentum, batches=1):
    """After each update, of so many batches, by NumPy in float64; the first are the weights themselves."""
    found = []
    for each in weights[batches - 1 :: batches]:
        new = [np.float64(weight) for weight in each]
        found.append([momentum * old + (1 - momentum) * now for old, now in zip(found[-1], new, strict=True)] if found else new)
    return found


def assert_close(first, second):
    for left, right in zip(first, second, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("settings", [{"optimizer": "sgd", "learning_rate": 0.1}, {"accumulate": 2}], ids=["sgd", "accumulated"])
def test_the_last_weights_are_the_average_of_those_after_each_update(scaled, tmp_path, loop, settings):
    end, seen = executed(loop, scaled, tmp_path, weights="last", **settings)
    expected = averages(seen.weights, 0.9, settings.get("accumulate", 1))
    assert len(expected) == 30 // settings.get("accumulate", 1)
    assert_close(end.best, expected[-1])
    assert np.abs(end.best[0] - seen.weights[-1][0]).max() > 1e-4


@pytest.mark.parametrize("loop", LOOPS)
def test_the_eval_split_judges_the_averages_and_the_best_of_them_are_kept(scaled, tmp_path, loop):
    end, seen = executed(loop, scaled, tmp_path, epochs=6, learning_rate=0.05)
    found = averages(seen.weights, 0.9)[9::10]
    best = int(np.argmin(end.history["val_loss"]))
    assert_close(end.best, found[best])
    pixels, labels = scaled.images[299:400] / np.float32(255), scaled.labels[299:400]
    for epoch, weights in enumerate(found):
        seen.model.set_weights(weights)
        losses = keras.losses.sparse_categorical_crossentropy(labels, seen.model(pixels, training=False), from_logits=True)
        np.testing.assert_allclose(end.history["val_loss"][epoch], np.mean(losses), rtol=1e-3)


@pytest.mark.parametrize("loop", LOOPS)
def test_the_weights_are_trained_as_without_an_average_bit_for_bit(scaled, tmp_path, loop):
    (end, seen), (plain, plainly_seen) = (executed(loop, scaled, tmp_path / str(ema), ema=ema) for ema in (0.99, None))
    for step, weights in enumerate(seen.weights):
        for left, right in zip(weights, plainly_seen.weights[step], strict=True):
            np.testing.assert_array_equal(left, right)
    assert end.history["loss"] == plain.history["loss"]
    assert end.history["val_loss"] != plain.history["val_loss"]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"weights": "last", "optimizer": "rmsprop"},
        {"optimizer": "adamw", "schedule": "plateau", "accumulate": 3},
        pytest.param({"strategy": "mirrored", "batch_size": 64, "optimizer": "sgd"}, marks=pytest.mark.slow),
    ],
    ids=["best", "last", "accumulated", "mirrored"],
)
def test_both_loops_end_alike(scaled, tmp_path, settings):
    assert_same_end(*(execute(loop, scaled, tmp_path / loop, **AVERAGED, **settings) for loop in LOOPS))


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    "settings",
    [{}, {"weights": "last"}, pytest.param({"strategy": "mirrored", "batch_size": 64}, marks=pytest.mark.slow)],
    ids=["best", "last", "mirrored"],
)
def test_an_interrupted_training_ends_as_if_it_had_not_been(scaled, tmp_path, loop, settings):
    settings = {**AVERAGED, **settings}
    whole = execute(loop, scaled, tmp_path / "whole", **settings)
    for steps in (4, 9):  # within an epoch, and behind the first validation
        killed(loop, scaled, tmp_path / "killed", steps, **settings)
    again = execute(loop, scaled, tmp_path / "killed", **settings)
    assert again.begin > Position(0, 0)
    assert_same_end(whole, again)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_checkpoint_behind_the_validation_has_the_weights_that_are_trained(scaled, tmp_path, loop):
    settings = {**AVERAGED, "checkpoints": {"epochs": 1}}
    whole = execute(loop, scaled, tmp_path / "whole", **settings)
    killed(loop, scaled, tmp_path / "killed", {"gradient_tape": 23, "fit": 4}[loop], **settings)
    again = execute(loop, scaled, tmp_path / "killed", **settings)
    assert again.begin.epoch > 0
    assert again.begin.step == 0
    assert_same_end(whole, again)
