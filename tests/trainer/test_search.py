"""What may be searched, and how found settings take the place of the config's."""

import pydantic
import pytest

from trainer.config import TrainerConfig
from trainer.search import TunerConfig, fault, merged, value_of


def searched(**search):
    return TunerConfig(search={key.replace("__", "."): values for key, values in search.items()})


def test_found_settings_take_the_place_of_the_configs_and_others_stay():
    config = TrainerConfig(epochs=7, loop="gradient_tape", step={"kind": "sam", "rho": 0.2}, code={"a.py": "x = 1"})
    values = {"trainer.learning_rate": 0.5, "trainer.early_stopping.patience": 9, "trainer.step.rho": 0.1, "tuner/epochs": 3}
    found = merged(config, values)
    assert (found.learning_rate, found.early_stopping.patience, found.step.rho) == (0.5, 9, 0.1)
    assert merged(found, {"trainer.learning_rate": 0.001, "trainer.early_stopping.patience": 3, "trainer.step.rho": 0.2}) == config
    assert value_of(found, "trainer.early_stopping.patience") == 9


@pytest.mark.parametrize(
    ("key", "values", "message"),
    [
        ("trainer.learning_rat", [0.1, 0.2], "Received: 'trainer.learning_rat'. Did you mean 'trainer.learning_rate'?"),
        ("dropout", [0.1, 0.2], "Received: 'dropout'. Did you mean 'trainer.dropout'?"),
        ("trainer.seed", [1, 2], "Received: 'trainer.seed'."),
        ("trainer.loop", ["fit", "gradient_tape"], "Received: 'trainer.loop'."),
        (
            "trainer.dropout",
            {"min": 0.0, "max": 1.5},
            "tuner.search.trainer.dropout: Expected less than 1. Received: 1.5.",
        ),
        ("trainer.batch_size", [32, 0], "tuner.search.trainer.batch_size: Expected greater than or equal to 1. Received: 0."),
        ("trainer.batch_size", {"min": 8.5, "max": 64}, "tuner.search.trainer.batch_size: Expected a valid integer. Received: 8.5."),
        ("trainer.optimizer", ["adam", "adan"], "tuner.search.trainer.optimizer: Expected 'adam', 'adamw', 'sgd' or 'rmsprop'."),
        ("trainer.dropout", {"min": 0.5, "max": 0.1}, "tuner.search.trainer.dropout: Expected `min` below `max`. Received: 0.5 and 0.1."),
        ("trainer.dropout", {"min": 0, "max": 0.5, "scale": "log"}, "Expected `min` above 0 with `scale: log`. Received: 0."),
        ("trainer.label_smoothing", [0.0, 0.1], "Expected another `tuner.metric` than `loss`"),
    ],
)
def test_what_cannot_be_searched_is_said_with_the_nearest_right_name(key, values, message):
    assert message in fault(TunerConfig(search={key: values}), TrainerConfig())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["adam"], "Expected a list of at least two values, each of them once. Received: ['adam']."),
        (["adam", "adam"], "each of them once. Received: ['adam', 'adam']."),
        ([0.1, "x"], "Expected a list of numbers, of texts, or of `true` and `false`. Received: [0.1, 'x']."),
        ([], "Expected a list of at least two values"),
        (0.1, "Expected a list of values, or `min` and `max`. Received: 0.1."),
        ({"min": 0.1}, "Expected numbers for `min` and `max`. Received: None for `max`."),
        ({"min": 0.1, "max": "1"}, "Received: '1' for `max`."),
        ({"min": 0.1, "maxx": 1}, "Expected `min`, `max` and `scale` of a range. Received: 'maxx'. Did you mean 'max'?"),
        ({"min": 0.1, "max": 1, "scale": "logg"}, "Expected `scale: linear` or `log`. Received: 'logg'. Did you mean 'log'?"),
    ],
)
def test_values_that_are_neither_a_list_nor_a_range_are_said_in_one_line(values, message):
    with pytest.raises(pydantic.ValidationError) as caught:
        searched(trainer__optimizer=values)
    [error] = caught.value.errors()
    assert error["msg"].startswith("Value error, tuner.search.trainer.optimizer: Expected ") and message in error["msg"]


def test_a_search_of_nothing_is_said():
    with pytest.raises(pydantic.ValidationError, match=r"tuner\.search: Expected a setting to search"):
        TunerConfig(search={})


def test_two_settings_that_exclude_each_other_have_one_received():
    given = TunerConfig(search={"trainer.clip_value": [0.1, 1.0]})
    assert fault(given, TrainerConfig(clip_norm=1.0)).count("Received: ") == 1


def test_what_can_be_searched_is_no_fault():
    tuner = TunerConfig(
        search={
            "trainer.learning_rate": {"min": 1e-4, "max": 1e-1, "scale": "log"},
            "trainer.batch_size": {"min": 16, "max": 64},
            "trainer.clip_norm": {"min": 0.1, "max": 10.0},
            "trainer.optimizer": ["adam", "sgd"],
            "trainer.early_stopping.min_delta": [0, 0.01],
        }
    )
    assert fault(tuner, TrainerConfig()) is None


def test_hyperband_decides_itself_how_many_trials_there_are():
    tuner = TunerConfig(algorithm="hyperband", trials=3, search={"trainer.dropout": [0.1, 0.2]})
    assert fault(tuner, TrainerConfig()).startswith("tuner.trials: Expected none with `tuner.algorithm: hyperband`")
    assert [TunerConfig(algorithm=name, search=tuner.search).most_trials for name in ("random", "hyperband")] == [20, None]
