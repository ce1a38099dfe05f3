"""The digits, from one command to an answer: pushed, cached, changed, refused, pushed again, served.

Each fixture is one run in the same root, after the run that it names as its argument.
"""

import collections
import shutil

import numpy as np
import pytest

COMPONENTS = [
    "ImageExampleGen",
    "StatisticsGen",
    "SchemaGen",
    "ExampleValidator",
    "DataGate",
    "Transform",
    "Trainer",
    "BaselineModel",
    "Evaluator",
    "Pusher",
]
BY_TAPE = ("--set", "trainer.loop=gradient_tape", "--set", "trainer.epochs=31", "--set", "evaluator.max_accuracy_drop=0.1")
Step = collections.namedtuple("Step", "answer versions")


@pytest.fixture(scope="module")
def here(place):
    return place("digits")


@pytest.fixture(scope="module")
def run(here, digits_yaml):
    """run(*arguments): the next run in this root."""
    return lambda *arguments: Step(here.run(digits_yaml, *arguments), here.versions())


@pytest.fixture(scope="module")
def pushed(run, here):
    step = run()
    if step.answer.status:
        pytest.fail(step.answer.stderr)
    here.after_first_run = here.left_outside()
    return step


@pytest.fixture(scope="module")
def again(run, pushed):
    return run()


@pytest.fixture(scope="module")
def without_record(run, here, again):
    (here.root / "last_run.json").unlink()
    return run()


@pytest.fixture(scope="module")
def served(serve, here, pushed, rows_of_test_split):
    """What the first version's server answers to the test split's PNGs, and their labels."""
    from serving.client import Client

    pngs, labels = rows_of_test_split(here)
    with Client(serve(here, pushed.answer.record).address, model_name="digits", deadline=60) as client:
        return client.predict_images(pngs), np.asarray(labels)


@pytest.fixture(scope="module")
def refused(run, again):
    return run("--set", "evaluator.min_accuracy=0.9999")


@pytest.fixture(scope="module")
def by_tape(run, refused):
    """The other loop with more epochs, against the blessed model of the first."""
    return run(*BY_TAPE)


@pytest.fixture(scope="module")
def after_removal(run, here, by_tape):
    """The same run once more, after somebody has removed the version."""
    shutil.rmtree(by_tape.answer.record["model_dir"])
    return run(*BY_TAPE)


@pytest.fixture(scope="module")
def back_and_forth(run, after_removal):
    """The first settings again, then the other loop's again: by then TFX has seen every input before."""
    return run("--set", "evaluator.max_accuracy_drop=0.1"), run(*BY_TAPE)


def test_one_command_pushes_a_version_in_tensorflow_servings_layout(here, pushed):
    record = pushed.answer.record
    assert (pushed.answer.status, record["outcome"]) == (0, "pushed")
    assert pushed.versions == [record["version"]]
    assert record["model_dir"] == str(here.root / "serving" / "digits" / record["version"])
    version = here.root / "serving" / "digits" / record["version"]
    assert int(record["version"]) > 0
    assert {"saved_model.pb", "variables", "assets.extra"} <= {path.name for path in version.iterdir()}


def test_with_json_stdout_is_one_object_with_the_promised_keys(pushed):
    record = pushed.answer.record
    assert pushed.answer.stdout.count("\n") == 1
    assert {"outcome", "version", "model_dir", "metrics", "reasons", "components", "seconds"} <= record.keys()
    assert [each["name"] for each in record["components"]] == COMPONENTS
    assert all(each.keys() == {"name", "seconds", "cached", "rows"} and not each["cached"] for each in record["components"])
    assert {"accuracy", "precision", "recall", "f1", "auc", "confusion_matrix", "accuracy_by_class"} <= record["metrics"].keys()
    assert record["metrics"]["accuracy"] >= 0.9
    assert record["reasons"] == []
    assert record["seconds"] > 0


def test_the_person_sees_one_line_a_component_the_gates_table_the_place_and_what_to_type_next(pushed):
    lines = pushed.answer.stderr.splitlines()
    assert [line.split()[1] for line in lines[: len(COMPONENTS) + 1]] == ["start", *COMPONENTS]
    assert "Gate, on the test split" in lines[len(COMPONENTS) + 1]
    assert f"Pushed digits version {pushed.answer.record['version']}" in lines[-3]
    assert "tapeline serve --model_name digits" in lines[-2]
    assert "tapeline predict IMAGE.png --model_name digits" in lines[-1]
    assert max(map(len, lines[:-3])) <= 80


def test_a_run_leaves_nothing_outside_its_root_and_no_temporary_file_below_it(here, pushed):
    assert here.after_first_run == []
    assert not (here.root / "tmp").exists()


def test_a_second_run_executes_nothing_and_gives_the_same_version_and_metrics(again, pushed):
    assert (again.answer.status, again.answer.executed) == (0, [])
    assert again.answer.record["version"] == pushed.answer.record["version"]
    assert again.answer.record["metrics"] == pushed.answer.record["metrics"]
    assert again.versions == pushed.versions


def test_the_second_run_shows_every_component_cached_without_loading_tensorflow(again):
    assert [each["name"] for each in again.answer.record["components"]] == COMPONENTS
    assert all(each["cached"] for each in again.answer.record["components"])
    assert "load TFX and TensorFlow" not in again.answer.stderr


def test_without_the_record_of_the_last_run_tfxs_own_cache_gives_the_same_answer(without_record, pushed):
    assert "load TFX and TensorFlow" in without_record.answer.stderr
    assert all(each["cached"] for each in without_record.answer.record["components"])
    assert without_record.answer.record["version"] == pushed.answer.record["version"]
    assert without_record.versions == pushed.versions


def test_what_is_served_answers_what_the_evaluator_saw(served, pushed):
    prediction, labels = served
    metrics = pushed.answer.record["metrics"]
    matrix = np.zeros((10, 10), int)
    np.add.at(matrix, (labels, prediction.classes), 1)
    assert matrix.tolist() == metrics["confusion_matrix"]
    assert np.mean(prediction.classes == labels) == pytest.approx(metrics["accuracy"])
    assert prediction.version == int(pushed.answer.record["version"])
    np.testing.assert_array_equal(prediction.probabilities.argmax(axis=1), prediction.classes)


def test_a_bound_that_is_missed_ends_with_3_pushes_nothing_and_says_why(refused, pushed):
    answer = refused.answer
    accuracy = pushed.answer.record["metrics"]["accuracy"]
    assert (answer.status, answer.record["outcome"]) == (3, "refused")
    assert refused.versions == pushed.versions
    reason = f"accuracy is {accuracy:.4f}, which is {0.9999 - accuracy:.4f} below the bound of 0.9999"
    assert answer.record["reasons"] == [reason]
    assert f"Refused: {reason}\nNothing was pushed; what is served stays as it is.\n" in answer.stderr
    assert (answer.record["version"], answer.record["model_dir"]) == (None, None)


def test_a_bound_changes_nothing_before_the_evaluator(refused):
    assert refused.answer.executed == ["Evaluator", "Pusher"]


def test_a_setting_of_the_trainer_runs_the_trainer_and_what_follows_and_nothing_before(by_tape):
    assert by_tape.answer.executed == ["Trainer", "Evaluator", "Pusher"]


def test_the_other_loop_is_held_against_the_last_blessed_model_and_pushes_a_newer_version(by_tape, pushed):
    assert by_tape.answer.status == 0
    compared = [bound for bound in by_tape.answer.record["bounds"] if "the last blessed model's" in bound["origin"]]
    assert [bound["bound"] for bound in compared] == [pytest.approx(pushed.answer.record["metrics"]["accuracy"] - 0.1)]
    assert int(by_tape.answer.record["version"]) > int(pushed.answer.record["version"])
    assert by_tape.versions == [pushed.answer.record["version"], by_tape.answer.record["version"]]


def test_a_version_that_somebody_removed_is_pushed_again_and_nothing_else_runs(after_removal, by_tape, pushed):
    assert (after_removal.answer.status, after_removal.answer.executed) == (0, ["Pusher"])
    assert after_removal.versions == [pushed.answer.record["version"], after_removal.answer.record["version"]]
    assert int(after_removal.answer.record["version"]) > int(pushed.answer.record["version"])


def test_going_back_and_forth_pushes_each_time_for_only_the_newest_version_is_served(back_and_forth, after_removal):
    back, forth = back_and_forth
    assert (back.answer.status, forth.answer.status) == (0, 0)
    assert "Trainer" not in back.answer.executed + forth.answer.executed
    assert back.answer.record["version"] == back.versions[-1] > after_removal.versions[-1]
    assert forth.answer.record["version"] == forth.versions[-1] > back.versions[-1]
