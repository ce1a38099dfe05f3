"""`kill -9` of a run, or of its worker, at any point: the next run completes, and pushes once."""

import json
from pathlib import Path

import pytest

SMALL = ("--set", "trainer.epochs=2", "--set", "evaluator.min_accuracy=0.0")

# Ends the worker between the Pusher's rename and TFX's bookkeeping, where no progress line could tell.
DIE_AFTER_RENAME = """
import os, signal
rename = os.rename
def rename_and_die(source, target, **options):
    rename(source, target, **options)
    if "serving/digits/" in str(target):
        os.kill(os.getpid(), signal.SIGKILL)
os.rename = rename_and_die
"""
DIE_BEFORE_RENAME = """
import os, signal
rename = os.rename
def die_or_rename(source, target, **options):
    if "serving/digits/" in str(target):
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target, **options)
os.rename = die_or_rename
"""
DIE_IN_TRAINING = """
import os, signal
import keras
def die(self, epoch, logs=None):
    os.kill(os.getpid(), signal.SIGKILL)
keras.callbacks.TensorBoard.on_epoch_end = die
"""


@pytest.mark.slow
def test_killed_in_every_component_one_after_the_other_the_last_run_completes_and_pushes_once(place, digits_yaml):
    """Each run gets one component further than the one before, out of the cache."""
    here = place("killed")
    for ended in (
        "start",
        "ImageExampleGen",
        "StatisticsGen",
        "SchemaGen",
        "ExampleValidator",
        "DataGate",
        "Transform",
        "Trainer",
        "Evaluator",
    ):
        here.kill_when(digits_yaml, ended, *SMALL)
        assert [name for name in here.versions() if name.isdecimal()] == [] or ended == "Evaluator"
    assert_the_next_run_completes(here, digits_yaml)


@pytest.mark.parametrize(
    "code", [DIE_IN_TRAINING, DIE_BEFORE_RENAME, DIE_AFTER_RENAME], ids=["in training", "before the rename", "after the rename"]
)
def test_a_worker_killed_in_the_trainer_and_on_both_sides_of_the_pushers_rename_is_told_and_the_next_run_pushes_once(
    place, digits_yaml, code
):
    here = place("killed")
    with here.start(digits_yaml, *SMALL, everywhere=code) as process:
        stdout, stderr = process.communicate()
    assert process.returncode == 1, stderr
    ended = json.loads(stdout)
    component = "Trainer" if code is DIE_IN_TRAINING else "Pusher"
    assert ended["reasons"][0].startswith(f"{component}: Expected the run's process to end by itself. Received: SIGKILL, ")
    [file] = (here.root / "records").iterdir()
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert (kept["outcome"], kept["failure"]) == ("failed", ended["reasons"][0])
    assert [each["name"] for each in kept["components"]][-1] == component
    if code is DIE_AFTER_RENAME:
        [version] = [name for name in here.versions() if name.isdecimal()]  # and the folder that it was copied in
    elif code is DIE_BEFORE_RENAME:
        [staging] = here.versions()
        assert staging.startswith(".incoming-")
    answer = assert_the_next_run_completes(here, digits_yaml)
    if code is DIE_AFTER_RENAME:
        assert answer.record["version"] == version


END_IN_THE_THIRD_EPOCH = """
import os, signal
import keras
def end(self, epoch, logs=None):
    if epoch == 2:
        os.kill(os.getpid(), signal.{})
keras.callbacks.TensorBoard.on_epoch_end = end
"""


@pytest.mark.parametrize(("sent", "checkpoints", "kept"), [("SIGKILL", "{epochs: 1}", 2), ("SIGTERM", "{minutes: 60}", 3)])
def test_a_training_goes_on_where_it_was_ended_to_the_same_model(place, digits_yaml, sent, checkpoints, kept):
    settings = ("--set", "trainer.epochs=5", "--set", "evaluator.min_accuracy=0.0", "--set", f"trainer.checkpoints={checkpoints}")
    here, elsewhere = place("ended"), place("whole")
    with here.start(digits_yaml, *settings, everywhere=END_IN_THE_THIRD_EPOCH.format(sent)) as process:
        stdout, stderr = process.communicate()
    assert process.returncode == {"SIGKILL": 1, "SIGTERM": 143}[sent], stderr
    assert json.loads(stdout)["reasons"][0].startswith("Trainer")
    [checkpoint] = here.root.glob("artifacts/Trainer/checkpoints/*.npz")
    answer, whole = here.run(digits_yaml, *settings), elsewhere.run(digits_yaml, *settings)
    assert (answer.status, answer.executed[0]) == (0, "Trainer"), answer.stderr
    assert not checkpoint.exists()
    epochs, expected = (
        json.loads(Path(run.record["log"].replace("/logs/", "/records/")).with_suffix(".json").read_text(encoding="utf-8"))["epochs"]
        for run in (answer, whole)
    )
    assert [epoch.pop("resumed", 0) for epoch in epochs] == [1] * kept + [0] * (5 - kept)
    for epoch in (*epochs, *expected):
        del epoch["examples_per_second"]
    assert epochs == expected
    assert answer.record["metrics"] == whole.record["metrics"]


def assert_the_next_run_completes(here, digits_yaml):
    answer = here.run(digits_yaml, *SMALL)
    assert (answer.status, answer.record["outcome"]) == (0, "pushed"), answer.stderr
    assert here.versions() == [answer.record["version"]]
    assert not (here.root / "tmp").exists()
    return answer
