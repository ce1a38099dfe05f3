"""`trainer.start_rate` and `trainer.thaw_after`: weights that change less than others, and layers that are trained from an epoch on."""

import numpy as np
import pydantic
import pytest

from tests.trainer.interrupted import LOOPS, assert_same_end, execute, killed
from tests.trainer.test_start import begun, built, started
from trainer import start
from trainer.config import TrainerConfig

KERNELS = (0, 2)  # of `dense` and `dense_1`, among a model's weights
THAWED = {"freeze": ["dense"], "thaw_after": 1, "start_rate": 0.1, "start_without": ["dense_1"], "weights": "last"}

BEGINS = [(0, 5), (1, 0), (1, 5)]  # epoch and step that a training goes on from


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Weights that no training draws."""
    place = tmp_path_factory.mktemp("given") / "given.weights.h5"
    built(seed=7).save_weights(place)
    return place


def moved(artifacts, file, folder, **settings):
    """How far the kernels of both layers are from where they began, as the greatest distance, after one update of a whole epoch's rows."""
    one = {"batch_size": 299, "epochs": 1, "weights": "last", "dropout": 0.0, "checkpoints": None, **settings}
    end = execute("fit", started(artifacts, file), folder, **one)
    model = begun(artifacts, file, folder, **one)
    return [float(np.abs(end.best[place] - model.get_weights()[place]).max()) for place in KERNELS]


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
def test_a_share_of_the_rate_is_one_of_the_way_that_loaded_weights_go_and_new_ones_go_all_of_it(scaled, tmp_path, file, optimizer):
    settings = {"optimizer": optimizer, "learning_rate": 0.01, "start_without": ["dense_1"]}
    whole = moved(scaled, file, tmp_path / "whole", **settings)
    share = moved(scaled, file, tmp_path / "share", start_rate=0.25, **settings)
    assert share == pytest.approx([0.25 * whole[0], whole[1]], rel=1e-3)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_weight_decay_takes_a_share_too(scaled, tmp_path, file, optimizer):
    model = built(seed=7, optimizer=optimizer, learning_rate=0.5, weight_decay=0.5, start_from=str(file), start_rate=0.1)
    kernels = [model.trainable_variables[place] for place in KERNELS]
    before = [kernel.numpy() for kernel in kernels]
    model.optimizer.slow_down(kernels[:1], 0.1)
    model.optimizer.apply([kernel * 0.0 for kernel in kernels], kernels)
    for kernel, value, rate in zip(kernels, before, (0.05, 0.5), strict=True):
        np.testing.assert_allclose(kernel.numpy(), value * (1 - 0.5 * rate), rtol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"ema": 0.9, "weights": "best"},
        {"optimizer": "adamw", "weight_decay": 0.1, "schedule": "one_cycle", "clip_norm": 0.5},
        {"optimizer": "sgd", "accumulate": 3, "weight_decay": 0.1},
        {"precision": "mixed_float16"},
        {"strategy": "mirrored", "batch_size": 64, "optimizer": "adamw", "ema": 0.9, "thaw_after": 2},
    ],
    ids=["ema", "adamw-scheduled-clipped", "sgd-accumulated", "float16", "mirrored"],
)
def test_both_loops_end_alike_with_layers_that_thaw_at_a_lower_rate(scaled, tmp_path, file, settings):
    ends = [execute(loop, started(scaled, file), tmp_path / loop, **{**THAWED, **settings}) for loop in LOOPS]
    assert_same_end(*ends)


@pytest.mark.parametrize("ema", [None, 0.9], ids=["weights", "averages"])
@pytest.mark.parametrize("loop", LOOPS)
def test_a_frozen_layer_keeps_its_weights_up_to_the_epoch_that_thaws_it_and_is_trained_from_there(scaled, tmp_path, file, loop, ema):
    artifacts, given = started(scaled, file), begun(scaled, file, tmp_path).get_weights()
    settings = {**THAWED, "ema": ema}
    frozen = execute(loop, artifacts, tmp_path / "frozen", **{**settings, "thaw_after": None, "epochs": 2})
    thawed = execute(loop, artifacts, tmp_path / "thawed", **{**settings, "epochs": 2})
    np.testing.assert_array_equal(frozen.best[0], given[0])
    assert (thawed.best[0] != given[0]).any()
    assert frozen.history["loss"][0] == thawed.history["loss"][0]
    assert frozen.history["loss"][1] != thawed.history["loss"][1]


@pytest.mark.parametrize(("loop", "steps"), [("fit", (4, 6, 8)), ("gradient_tape", (7, 13, 17))])
@pytest.mark.parametrize("begin", BEGINS, ids=["before", "there", "behind"])
def test_a_training_that_was_interrupted_around_the_thaw_ends_alike(scaled, tmp_path, file, loop, steps, begin):
    artifacts, settings = started(scaled, file), {**THAWED, "checkpoints": {"steps": 5}, "ema": 0.9}
    whole = execute(loop, artifacts, tmp_path / "whole", **settings)
    killed(loop, artifacts, tmp_path / "killed", steps[BEGINS.index(begin)], **settings)
    again = execute(loop, artifacts, tmp_path / "killed", **settings)
    assert again.begin == begin
    assert_same_end(whole, again)


def test_the_first_update_of_a_thawed_layer_is_no_longer_than_adam_makes_any_first_one():
    settings = {"freeze": ["dense"], "thaw_after": 1, "learning_rate": 0.01}
    model = built(**settings)
    kernel, other = (model.weights[place] for place in KERNELS)
    for _ in range(100):
        model.optimizer.apply([other * 0.0 + 1.0], [other])
    model.optimizer.begin_late()
    before = kernel.numpy()
    model.optimizer.apply([kernel * 0.0 + 3.0], [kernel])
    np.testing.assert_allclose(before - kernel.numpy(), 0.01, rtol=1e-3)


def test_what_a_model_of_the_users_own_has_frozen_itself_stays_frozen():
    model = built(model="cnn")
    config = TrainerConfig(freeze=["conv2d*"], thaw_after=1)
    first, *_ = [layer for layer in model.layers if layer.name.startswith("conv2d")]
    first.trainable = False
    trained = [variable.path for variable in model.trainable_variables]
    model.optimizer.build(model.trainable_variables)
    start.freeze(model, config.freeze)
    assert not start.thaw(model, config, 0)
    model.compile(built(freeze=["dense"], thaw_after=1).optimizer)
    assert start.thaw(model, config, 1)
    assert [variable.path for variable in model.trainable_variables] == trained
    assert not start.thaw(model, config, 2)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"start_rate": 0.1}, r"trainer\.start_rate: Expected 1 without `trainer\.start_from`.* Received: 0\.1\. Remove it, or set"),
        ({"thaw_after": 2}, r"trainer\.thaw_after: Expected none without `trainer\.freeze`.* Received: 2\. Remove it, or set"),
        ({"thaw_after": 3, "epochs": 3, "freeze": ["dense"]}, r"trainer\.thaw_after: Expected fewer epochs than the 3 .* Received: 3\."),
    ],
)
def test_settings_that_would_change_nothing_are_refused_in_one_line(settings, said):
    with pytest.raises(pydantic.ValidationError, match=said):
        TrainerConfig(**settings)
