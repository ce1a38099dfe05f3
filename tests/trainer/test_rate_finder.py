"""The learning-rate finder: by either loop, one step a rate, in the training's own arithmetic."""

import math

import numpy as np
import pytest

from trainer import fit, gradient_tape
from trainer.errors import TrainingError
from trainer.rate_finder import find, valley
from trainer.run import read_material, run

LOOPS = {"fit": fit, "gradient_tape": gradient_tape}
SETTINGS = {"model": "mlp", "batch_size": 32, "strategy": "one_device", "dropout": 0.1}


def found(artifacts, folder, loop, **settings):
    material = read_material(artifacts.fn_args(folder, **{**SETTINGS, "loop": loop, **settings}))
    return find(material, LOOPS[loop].train)


@pytest.fixture(scope="module")
def sweeps(scaled, tmp_path_factory):
    return {loop: found(scaled, tmp_path_factory.mktemp(loop), loop) for loop in LOOPS}


def test_both_loops_see_the_same_losses_bit_by_bit(sweeps):
    assert sweeps["fit"] == sweeps["gradient_tape"]


def test_the_rates_grow_evenly_in_their_logarithm_up_to_the_last_or_to_where_the_loss_diverges(sweeps):
    sweep = sweeps["fit"]
    assert len(sweep.rates) == len(sweep.losses) == len(sweep.smoothed)
    assert 50 < len(sweep.rates) <= 100
    np.testing.assert_allclose(np.log10(sweep.rates), np.linspace(-7, 1, 100)[: len(sweep.rates)], rtol=1e-5, atol=1e-5)
    assert sweep.diverged or len(sweep.rates) == 100


@pytest.mark.parametrize("loop", LOOPS)
def test_it_ends_where_the_loss_diverges(scaled, tmp_path, loop):
    material = read_material(scaled.fn_args(tmp_path, **SETTINGS, loop=loop, optimizer="sgd"))
    sweep = find(material, LOOPS[loop].train, first=1e-3, last=1000.0)
    assert sweep.diverged
    assert len(sweep.rates) == len(sweep.losses) == len(sweep.smoothed) < 100
    assert sweep.smoothed[-1] > 4 * min(sweep.smoothed)
    assert all(value <= 4 * min(sweep.smoothed[: end + 1]) for end, value in enumerate(sweep.smoothed[:-1]))


def test_the_first_loss_is_that_of_a_model_that_knows_nothing(sweeps):
    assert abs(sweeps["fit"].losses[0] - math.log(10)) < 0.5


def test_training_at_the_suggestion_learns_more_than_at_a_hundredth_of_it(scaled, tmp_path, sweeps):
    rate = sweeps["fit"].suggestion
    assert 1e-4 < rate < 1e-1
    losses = [
        run(scaled.fn_args(tmp_path / str(share), **SETTINGS, epochs=5, learning_rate=share * rate), fit.train).history["val_loss"][-1]
        for share in (1, 0.01)
    ]
    assert losses[0] < 0.7 * losses[1]


@pytest.mark.parametrize("loop", LOOPS)
def test_accumulated_batches_make_one_update_at_one_rate(scaled, tmp_path, loop):
    halves = found(scaled, tmp_path, loop, accumulate=2, batch_size=13, dropout=0.0)  # 299 rows are 23 batches of 13
    wholes = found(scaled, tmp_path, loop, batch_size=26, dropout=0.0)
    np.testing.assert_array_equal(halves.rates[:60], wholes.rates[:60])
    np.testing.assert_allclose(halves.losses[:11], wholes.losses[:11], rtol=1e-4)
    assert abs(math.log10(halves.suggestion / wholes.suggestion)) < 0.5


def test_a_schedule_and_a_warm_up_of_the_training_do_not_count(scaled, tmp_path, sweeps):
    assert found(scaled, tmp_path, "fit", schedule="cosine", warmup=0.5, learning_rate=0.5) == sweeps["fit"]


def test_where_the_loss_never_falls_that_is_said(scaled, tmp_path):
    material = read_material(scaled.fn_args(tmp_path, **SETTINGS))
    with pytest.raises(TrainingError, match=r"^Expected a training loss that falls at some learning rate from 5 to 10\. Received: "):
        find(material, fit.train, first=5.0, last=10.0)


def test_the_valley_is_the_middle_of_the_longest_way_down_and_passes_over_single_outliers():
    flat, down, up = [10.0] * 20, [9.0 - 0.2 * step for step in range(30)], [5.0 + step for step in range(10)]
    place = valley([*flat, *down, *up])
    assert 20 + 10 <= place < 20 + 20
    noisy = [value + (1.0 if step % 7 == 3 else 0.0) for step, value in enumerate(down)]
    assert 20 + 7 <= valley([*flat, *noisy, *up]) < 20 + 20


def test_without_a_way_down_there_is_no_valley():
    assert valley([1.0, 2.0, 3.0, 4.0]) is None
    assert valley([]) is None
