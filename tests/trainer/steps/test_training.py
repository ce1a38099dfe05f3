"""The GradientTape loop trains with any step, on one device and on replicas, and says what cannot be trained."""

import keras
import numpy as np
import pydantic
import pytest
import tensorflow as tf

from tests.trainer.test_loops import LOOPS, assert_same, trained
from trainer import gradient_tape
from trainer.config import TrainerConfig
from trainer.errors import TrainingError
from trainer.input_pipeline import Batches
from trainer.steps import Standard
from trainer.strategy import make_strategy
from trainer.tasks import Multiclass

STEPS = ["sam", "gradient_penalty", "adversarial", "virtual_adversarial", "mixup", "distill", "reinforce", "maml", "gan"]

SETTINGS = {
    "maml": {"epochs": 8},  # its weights are judged before they adapt
    "gan": {"step": {"kind": "gan", "warm_up": 1}},
}


def taped(artifacts, folder, **settings):
    defaults = {"epochs": 3, "batch_size": 64, "dropout": 0.1, "learning_rate": 0.004}
    return trained("gradient_tape", artifacts, folder, **{**defaults, **settings})


@pytest.mark.parametrize("strategy", ["one_device", pytest.param("mirrored", marks=pytest.mark.slow)])
@pytest.mark.parametrize("step", STEPS)
def test_digits_are_learnt_by_each_step_and_otherwise_than_by_the_standard_one(scaled, tmp_path, step, strategy):
    settings = {"step": step, "strategy": strategy, **SETTINGS.get(step, {})}
    model, history = taped(scaled, tmp_path, **settings)
    assert history["val_accuracy"][-1] > 0.6 > 0.1
    plain, _ = taped(scaled, tmp_path, **{**settings, "step": "standard"})
    assert np.abs(model.get_weights()[-1] - plain.get_weights()[-1]).max() > 1e-4


@pytest.mark.parametrize("step", STEPS)
def test_the_same_seed_gives_the_same_weights_twice_and_another_seed_others(scaled, tmp_path, step):
    first, again, other = (taped(scaled, tmp_path / name, step=step, epochs=1, seed=seed) for name, seed in (("a", 5), ("b", 5), ("c", 6)))
    assert_same(first, again)
    assert (first[0].get_weights()[-1] != other[0].get_weights()[-1]).any()


class Noting(Standard):
    """The standard step, which keeps the seeds that it is given."""

    def __call__(self, model, x, y, seed):
        tf.numpy_function(lambda seen: SEEN.append(tuple(seen)), [seed], [])
        return super().__call__(model, x, y, seed)


SEEN = []


@pytest.mark.parametrize("accumulate", [1, 3])
def test_each_batch_has_a_seed_of_its_own_also_where_several_make_one_update(scaled, tmp_path, accumulate):
    SEEN.clear()
    taped(scaled, tmp_path, step=Noting(), accumulate=accumulate, epochs=2, seed=7)
    assert len(SEEN) == len(set(SEEN)) == 2 * 5
    assert {seed for seed, _ in SEEN} == {7}


def test_the_step_named_standard_is_what_both_loops_do_without_a_name(scaled, tmp_path):
    assert_same(*(trained(loop, scaled, tmp_path, epochs=1, step="standard") for loop in LOOPS))


@pytest.mark.parametrize("step", STEPS)
def test_fit_is_refused_a_step_that_only_a_tape_can_do(step):
    with pytest.raises(
        pydantic.ValidationError, match=rf"Expected 'standard' with `trainer\.loop: fit`.*Received: '{step}'.*gradient_tape"
    ):
        TrainerConfig(step=step)


def half_used(config):
    """A model of two classes with a dense layer that nothing of the output depends on."""
    inputs = keras.Input((3,))
    unused = keras.layers.Dense(2, name="unused")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, name="used")(inputs) + keras.ops.stop_gradient(unused))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    rows = tf.data.Dataset.from_tensors((np.ones((4, 3), np.float32), np.array([0, 0, 0, 1])))
    data = Batches(rows.repeat(), 2, 8), Batches(rows, 1, 4)
    step = config.step.for_task(Multiclass(classes=2)).taught_by(lambda x: x[:, :2] / 2)
    gradient_tape.train(model, *data, make_strategy("one_device"), config.model_copy(update={"step": step}), [])
    return model


@pytest.mark.parametrize("step", ["standard", *STEPS[:-1]])  # gan is of pictures
def test_variables_that_get_no_gradient_are_named_with_the_usual_causes(step):
    config = TrainerConfig(loop="gradient_tape", epochs=1, step=step)
    with pytest.raises(TrainingError, match=r"none for 'unused/kernel', 'unused/bias'\. The usual causes: .*not persistent.*ignore"):
        half_used(config)


def test_told_to_go_on_the_training_moves_the_other_variables():
    model = half_used(TrainerConfig(loop="gradient_tape", epochs=1, step="standard", without_gradient="ignore"))
    assert (model.get_layer("used").bias.numpy() != 0).all()
    assert (model.get_layer("unused").bias.numpy() == 0).all()
