"""The search as TFX calls it, by either loop: which trials there are, which is the best, and that it goes on where it was ended."""

import json

import numpy as np
import pytest

from trainer import fit, gradient_tape
from trainer.errors import ConfigError, TrainingError
from trainer.run import run
from trainer.search import TunerConfig
from trainer.tuner import Search, tuner_fn

LOOPS = {"fit": fit, "gradient_tape": gradient_tape}
RATES = {"trainer.learning_rate": {"min": 1e-5, "max": 1e-1, "scale": "log"}}
SETTINGS = {"model": "mlp", "epochs": 2, "batch_size": 64, "strategy": "one_device"}


def arguments(artifacts, folder, tuner, **trainer):
    fn_args = artifacts.fn_args(folder, **{**SETTINGS, **trainer})
    fn_args.custom_config["tuner"] = TunerConfig(**tuner).to_json()
    fn_args.working_dir = f"{folder}/Tuner/.system/executor_execution/7/.temp/"
    return fn_args


def searched(fn_args):
    """The tuner after TFX's call."""
    found = tuner_fn(fn_args)
    found.tuner.search(**found.fit_kwargs)
    return found.tuner


def scores(tuner):
    return {trial.trial_id: (trial.hyperparameters.values, trial.score) for trial in tuner.oracle.trials.values()}


@pytest.fixture(scope="module")
def both(scaled, tmp_path_factory):
    """The tuner of each loop, after four trials."""
    tuner = {"trials": 4, "search": RATES}
    return {loop: searched(arguments(scaled, tmp_path_factory.mktemp(loop), tuner, loop=loop)) for loop in LOOPS}


def test_both_loops_try_the_same_and_see_the_same(both):
    assert scores(both["fit"]) == scores(both["gradient_tape"])
    assert len(scores(both["fit"])) == 4


def test_a_trial_is_the_training_of_the_pipeline_and_the_best_of_them_feeds_it(scaled, tmp_path, both):
    best = both["fit"].get_best_hyperparameters()[0]
    losses = [score for _, score in scores(both["fit"]).values()]
    assert len(set(losses)) == 4
    fn_args = scaled.fn_args(tmp_path, **SETTINGS)
    fn_args.hyperparameters = json.loads(json.dumps(best.get_config()))  # as TFX hands them over
    assert min(run(fn_args, fit.train).history["val_loss"]) == min(losses)


def test_a_search_that_was_ended_goes_on_with_the_trial_under_way(scaled, tmp_path, both, monkeypatch):
    fn_args, begun = arguments(scaled, tmp_path, {"trials": 4, "search": RATES}), []
    whole = Search._trained

    def ended(self, trial):
        begun.append(trial.trial_id)
        if len(begun) == 3:
            raise KeyboardInterrupt
        return whole(self, trial)

    monkeypatch.setattr(Search, "_trained", ended)
    with pytest.raises(KeyboardInterrupt):
        searched(fn_args)
    fn_args.working_dir = fn_args.working_dir.replace("/7/", "/8/")  # another execution
    assert scores(searched(fn_args)) == scores(both["fit"])
    assert begun == ["0", "1", "2", "2", "3"]


def test_more_trials_go_on_from_those_there_are_and_other_settings_do_not(scaled, tmp_path):
    first = scores(searched(arguments(scaled, tmp_path, {"trials": 2, "search": RATES}, epochs=1)))
    more = scores(searched(arguments(scaled, tmp_path, {"trials": 3, "search": RATES}, epochs=1)))
    assert len(more) == 3
    assert first.items() <= more.items()
    other = scores(searched(arguments(scaled, tmp_path, {"trials": 1, "search": RATES}, epochs=1, batch_size=32)))
    assert len(other) == 1


@pytest.mark.parametrize("loop", [pytest.param("fit", marks=pytest.mark.slow), "gradient_tape"])
def test_hyperband_goes_on_with_the_best_from_where_they_were(scaled, tmp_path, loop):
    tuner = searched(arguments(scaled, tmp_path, {"algorithm": "hyperband", "search": RATES}, loop=loop, epochs=3, early_stopping=None))
    trials = list(tuner.oracle.trials.values())
    goes_on = [trial for trial in trials if trial.hyperparameters.values["tuner/initial_epoch"]]
    assert [trial.hyperparameters.values["tuner/epochs"] for trial in trials].count(1) >= 3
    assert len(trials) == tuner._total
    assert len(tuner.oracle.get_best_trials(tuner.oracle.max_trials)) == len(trials)  # what TFX asks for, and writes
    [longest] = goes_on
    values = longest.hyperparameters.values
    short = tuner.oracle.trials[values["tuner/trial_id"]]
    assert short.score == min(trial.score for trial in trials if trial.hyperparameters.values["tuner/epochs"] == 1)
    config = {**SETTINGS, "loop": loop, "epochs": 3, "early_stopping": None, "learning_rate": values["trainer.learning_rate"]}
    history = run(scaled.fn_args(tmp_path / "alone", **config), LOOPS[loop].train).history["val_loss"]
    np.testing.assert_allclose([short.score, longest.score], [history[0], min(history)], rtol=1e-6)
    assert not list(tmp_path.rglob("state.npz"))


def test_a_search_in_which_every_trial_failed_has_no_best_values(scaled, tmp_path, monkeypatch):
    def not_finite(self, trial):
        raise TrainingError("Expected a finite `loss`. Received: nan.")

    monkeypatch.setattr(Search, "_trained", not_finite)
    with pytest.raises(
        TrainingError, match=r"^Expected a trial whose `val_loss` is a number\. Received: 2 that failed\. Search others: `tr"
    ):
        searched(arguments(scaled, tmp_path, {"trials": 2, "search": RATES}, epochs=1))


def test_a_learning_rate_at_which_the_loss_is_no_number_is_a_failed_trial_and_others_are_tried(scaled, tmp_path, monkeypatch):
    whole = Search._trained

    def not_finite(self, trial):
        if trial.trial_id == "0":
            raise TrainingError("Expected a finite `loss`. Received: nan.")
        return whole(self, trial)

    monkeypatch.setattr(Search, "_trained", not_finite)
    trials = searched(arguments(scaled, tmp_path, {"trials": 2, "search": RATES}, epochs=1)).oracle.trials
    assert [trials[name].status for name in ("0", "1")] == ["FAILED", "COMPLETED"]


def test_any_other_error_ends_the_search_at_once(scaled, tmp_path):
    fn_args = arguments(scaled, tmp_path, {"trials": 2, "search": {"trainer.batch_size": [63, 65]}}, strategy="mirrored")
    with pytest.raises(Exception, match="to be a multiple of 2, the number of replicas") as raised:
        searched(fn_args)
    assert isinstance(raised.value.__cause__, ConfigError)


def test_bayesian_search_tries_whole_numbers_and_choices_of_their_own_kind(scaled, tmp_path):
    search = {"trainer.batch_size": {"min": 32, "max": 128, "scale": "log"}, "trainer.optimizer": ["adam", "sgd"]}
    tuner = searched(arguments(scaled, tmp_path, {"algorithm": "bayesian", "trials": 2, "metric": "accuracy", "search": search}, epochs=1))
    values = [values for values, _ in scores(tuner).values()]
    assert all(isinstance(each["trainer.batch_size"], int) and each["trainer.optimizer"] in ("adam", "sgd") for each in values)
    assert tuner.oracle.objective.direction == "max"
    assert tuner.oracle.get_best_trials()[0].score == max(score for _, score in scores(tuner).values())


def test_each_trial_is_a_line_of_progress_with_the_time_that_is_left(scaled, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", "trainer.tuner")
    monkeypatch.setenv("TAPELINE_PROGRESS", str(tmp_path / "progress.jsonl"))
    tuner = searched(arguments(scaled, tmp_path, {"trials": 2, "search": RATES}, epochs=1))
    lines = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert [(line["trial"], line["done"], line["trials"]) for line in lines] == [(1, 0, 2), (1, 1, 2), (2, 1, 2), (2, 2, 2)]
    assert lines[0]["seconds_left"] is None
    assert lines[1]["seconds_left"] > 0 == lines[3]["seconds_left"]
    assert [record.getMessage().split(":")[0] for record in caplog.records if "Trial" in record.getMessage()] == [
        "Trial 1 of 2",
        "Trial 2 of 2",
    ]
    assert lines[3]["best"] == min(score for _, score in scores(tuner).values())
