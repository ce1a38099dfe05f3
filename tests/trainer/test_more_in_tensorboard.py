"""`trainer.tensorboard`: what TensorBoard shows on request, in both loops; the training is the same."""

import numpy as np
import pydantic
import pytest
import tensorflow as tf

from tests.trainer.interrupted import LOOPS, assert_same_end, execute, killed
from trainer.config import TrainerConfig

MORE = {"tensorboard": {"histogram_freq": 2, "profile_batch": [2, 3]}}


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


def test_a_profile_ends_behind_its_beginning():
    with pytest.raises(pydantic.ValidationError, match=r"trainer\.tensorboard\.profile_batch: Expected the first .* Received: \[3, 2\]\."):
        TrainerConfig(tensorboard={"profile_batch": [3, 2]})
