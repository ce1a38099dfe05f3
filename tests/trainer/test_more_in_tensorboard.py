"""`trainer.tensorboard`: what TensorBoard shows on request, in both loops; the training is the same."""

import keras
import numpy as np
import pydantic
import pytest
import tensorflow as tf

from tests.trainer.interrupted import LOOPS, assert_same_end, execute, killed
from trainer.config import TrainerConfig
from trainer.models.optimizers import make_optimizer

MORE = {"tensorboard": {"histogram_freq": 2, "profile_batch": [2, 3], "gradient_norm": True}}


def norms(folder):
    """The values of `epoch_gradient_norm`, by epoch."""
    return [
        float(tf.make_ndarray(value.tensor))
        for file in sorted(folder.glob("Trainer/model_run/*/*/train/events.out.tfevents.*"))
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
        if value.tag == "epoch_gradient_norm"
    ]


def histograms(folder):
    """Epochs and histograms, (buckets, 3) of left edge, right edge and count, by the tag."""
    found = {}
    for file in folder.glob("Trainer/model_run/*/*/train/events.out.tfevents.*"):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                if value.tag.endswith("/histogram"):
                    found.setdefault(value.tag, []).append((event.step, tf.make_ndarray(value.tensor)))
    return found


def profiles(folder):
    return list(folder.glob("Trainer/model_run/*/*/train/plugins/profile/*/*.xplane.pb"))


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("ema", [None, 0.9], ids=["weights", "averages"])
def test_every_second_epoch_has_a_histogram_of_each_weight_and_the_calls_a_profile(scaled, tmp_path, loop, ema):
    end = execute(loop, scaled, tmp_path / "more", **MORE, ema=ema, weights="last")
    assert_same_end(end, execute(loop, scaled, tmp_path / "plain", ema=ema, weights="last"))
    found = histograms(tmp_path / "more")
    assert len(found) == sum(weight.dtype == np.float32 for weight in end.best)
    for weight in end.best:  # those of the last epoch, which are the averages where there are some
        last = [each[-1][1] for each in found.values() if each[-1][1][:, 2].sum() == weight.size]
        assert any(np.allclose([each[0, 0], each[-1, 1]], [weight.min(), weight.max()], rtol=1e-6) for each in last)
    assert all([step for step, _ in each] == [0, 2] for each in found.values())
    assert profiles(tmp_path / "more")
    assert not histograms(tmp_path / "plain")
    assert not profiles(tmp_path / "plain")


def test_an_interrupted_training_goes_on_with_other_pictures_of_it(scaled, tmp_path):
    whole = execute("gradient_tape", scaled, tmp_path / "whole")
    killed("gradient_tape", scaled, tmp_path / "killed", 13)
    again = execute("gradient_tape", scaled, tmp_path / "killed", **MORE)
    assert again.begin.epoch == 1
    assert_same_end(whole, again)
    assert histograms(tmp_path / "killed")


@pytest.mark.parametrize(
    "settings",
    [
        {"clip_norm": 0.5},
        {"accumulate": 2, "clip_value": 0.01, "optimizer": "sgd"},
        {"precision": "mixed_float16"},
        {"strategy": "mirrored", "batch_size": 64},
    ],
    ids=["clipped", "accumulated", "float16", "mirrored"],
)
def test_both_loops_show_the_norm_of_an_epochs_gradients_and_train_as_without(scaled, tmp_path, settings):
    measured = {**settings, "tensorboard": {"gradient_norm": True}}
    fitted, taped = (execute(loop, scaled, tmp_path / loop, **measured) for loop in LOOPS)
    assert_same_end(fitted, taped)
    assert_same_end(fitted, execute("fit", scaled, tmp_path / "plain", **settings))
    found = norms(tmp_path / "fit")
    assert found == norms(tmp_path / "gradient_tape")
    assert len(found) == 3
    assert all(norm > settings.get("clip_norm", 0.1) for norm in found)
    assert not norms(tmp_path / "plain")


def test_the_norm_is_that_of_all_gradients_together_before_they_are_clipped_and_rows_that_come_twice_are_added():
    optimizer = make_optimizer(TrainerConfig(optimizer="sgd", clip_norm=0.1, tensorboard={"gradient_norm": True}), 1)
    table, bias = keras.Variable(np.zeros((3, 1), np.float32)), keras.Variable(np.zeros(1, np.float32))
    twice = tf.IndexedSlices(tf.constant([[1.0], [2.0]]), tf.constant([1, 1]), tf.constant([3, 1]))
    optimizer.apply([twice, tf.constant([4.0])], [table, bias])
    optimizer.apply([twice, tf.constant([0.0])], [table, bias])
    assert optimizer.take_mean_norm() == pytest.approx((5 + 3) / 2)
    assert np.isnan(optimizer.take_mean_norm())


def test_a_norm_of_replicas_is_that_of_one_device(scaled, tmp_path):
    settings = {"batch_size": 64, "epochs": 1, "dropout": 0.0, "tensorboard": {"gradient_norm": True}}
    for strategy in ("one_device", "mirrored"):
        execute("gradient_tape", scaled, tmp_path / strategy, strategy=strategy, **settings)
    assert norms(tmp_path / "mirrored") == pytest.approx(norms(tmp_path / "one_device"), rel=1e-3)


def test_a_profile_ends_behind_its_beginning():
    with pytest.raises(pydantic.ValidationError, match=r"trainer\.tensorboard\.profile_batch: Expected the first .* Received: \[3, 2\]\."):
        TrainerConfig(tensorboard={"profile_batch": [3, 2]})
