"""An interrupted training that is started again ends as if it had not been interrupted."""

import json
import logging
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.trainer.interrupted import DIGITS, LOOPS, Kill, assert_same_end, checkpoint, execute, killed
from trainer import checkpoints, fit, gradient_tape
from trainer.input_pipeline import Position
from trainer.termination import Terminated

TAPED = ("standard", "sam", "virtual_adversarial", "mixup", "distill", "reinforce", "maml", "gan")
FAST = ("standard", "virtual_adversarial")  # nothing of their own, random numbers
STEPS = [("fit", "standard"), *(("gradient_tape", step) for step in TAPED)]
ALL = [pytest.param(*each, marks=[] if each[1] in FAST else pytest.mark.slow, id="-".join(each)) for each in STEPS]

AUGMENTED_AND_NORMALISED = """
import keras
from trainer.models.augment import augmented

def build(inputs, outputs, augment):
    [(name, spec)] = inputs.items()
    pixels = keras.Input(spec.shape, name=name)
    x = keras.layers.Flatten()(augmented(pixels, augment))
    x = keras.layers.BatchNormalization()(keras.layers.Dense(16, use_bias=False)(x))
    return keras.Model(pixels, keras.layers.Dense(outputs)(keras.layers.ReLU()(x)))
"""


@pytest.fixture(params=["kept", "streamed"])
def rows(request, monkeypatch):
    """Where the training's rows come from in each epoch."""
    if request.param == "streamed":
        monkeypatch.setattr("trainer.input_pipeline._SHARE_OF_FREE_DISK", 0.0)
        return {"cache": "none"}
    return {}


def kill_thrice_and_finish(loop, artifacts, folder, at, **settings):
    for steps in at:
        killed(loop, artifacts, folder, steps, **settings)
    return execute(loop, artifacts, folder, **settings)


@pytest.mark.parametrize(("loop", "step"), ALL)
def test_killed_at_any_step_a_training_ends_with_the_same_weights(scaled, tmp_path, rows, loop, step):
    settings = {**rows, "step": step, "schedule": "cosine"}
    whole = execute(loop, scaled, tmp_path / "whole", **settings)
    at = np.random.default_rng(sum(map(ord, loop + step))).integers(4, 10, 3)  # together fewer than the 30 there are
    again = kill_thrice_and_finish(loop, scaled, tmp_path / "killed", [int(steps) for steps in at], **settings)
    assert again.begin > Position(0, 3)
    assert_same_end(whole, again)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    "every", [{"epochs": 1}, pytest.param({"epochs": 2}, marks=pytest.mark.slow), {"minutes": 1e-9}, {"steps": 1}], ids=str
)
def test_however_often_a_checkpoint_is_written(scaled, tmp_path, loop, every):
    settings = {"checkpoints": every, "epochs": 4}
    whole = execute(loop, scaled, tmp_path / "whole", **settings)
    killed(loop, scaled, tmp_path / "killed", 33 if loop == "gradient_tape" else 2 * {"steps": 33}.get(next(iter(every)), 4), **settings)
    again = execute(loop, scaled, tmp_path / "killed", **settings)
    assert again.begin == {"epochs": Position(2 if every == {"epochs": 2} else 3, 0)}.get(next(iter(every)), again.begin) > Position(1, 9)
    assert_same_end(whole, again)


@pytest.mark.parametrize("model", ["small.py:build", pytest.param("resnet", marks=pytest.mark.slow)])
@pytest.mark.parametrize("loop", LOOPS)
def test_augmented_pictures_and_batch_normalisation_go_on_as_they_were(standardized, tmp_path, loop, model):
    code = {"code": {"small.py": AUGMENTED_AND_NORMALISED}} if ":" in model else {}
    settings = {"model": model, **code, "augment": ["flip", "crop", "colour"], "batch_size": 100, "checkpoints": {"steps": 1}}
    whole = execute(loop, standardized, tmp_path / "whole", **settings)
    assert_same_end(whole, kill_thrice_and_finish(loop, standardized, tmp_path / "killed", [2, 4], **settings))


@pytest.mark.parametrize("loop", LOOPS)
def test_on_two_replicas(scaled, tmp_path, loop):
    settings = {"strategy": "mirrored", "batch_size": 64}
    whole = execute(loop, scaled, tmp_path / "whole", **settings)
    again = kill_thrice_and_finish(loop, scaled, tmp_path / "killed", [9], **settings)
    assert again.begin > Position(0, 0)
    assert_same_end(whole, again)


@pytest.mark.parametrize("loop", LOOPS)
def test_early_stopping_remembers_how_long_it_has_waited_and_the_best_weights_come_back(scaled, tmp_path, loop):
    settings = {"epochs": 40, "batch_size": 100, "learning_rate": 0.05, "early_stopping": {"patience": 2}, "checkpoints": {"epochs": 1}}
    whole = execute(loop, scaled, tmp_path / "whole", **settings)
    best = int(np.argmin(whole.history["val_loss"]))
    assert len(whole.epochs) == best + 3 < 40
    killed(loop, scaled, tmp_path / "killed", {"gradient_tape": 3, "fit": 2}[loop] * (best + 2) + 1, **settings)  # it has waited once
    again = execute(loop, scaled, tmp_path / "killed", **settings)
    assert again.begin.epoch > best
    assert_same_end(whole, again)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_training_that_had_ended_but_for_the_export_is_not_done_again(scaled, tmp_path, loop):
    settings = {"checkpoints": {"epochs": 1}}
    whole = execute(loop, scaled, tmp_path, **settings)
    again = execute(loop, scaled, tmp_path, **settings)
    assert again.begin == Position(3, 0)
    assert_same_end(whole, again)


@pytest.mark.parametrize("loop", [fit, gradient_tape], ids=["fit", "gradient_tape"])
def test_what_an_export_has_ended_leaves_no_checkpoint(scaled, tmp_path, loop):
    name = loop.__name__.removeprefix("trainer.")
    killed(name, scaled, tmp_path, 7)
    assert checkpoint(tmp_path)
    fn_args = scaled.fn_args(tmp_path, loop=name, **DIGITS)
    fn_args.model_run_dir = f"{tmp_path}/Trainer/model_run/9"
    loop.run_fn(fn_args)
    assert not (tmp_path / "Trainer" / "checkpoints").exists()


@pytest.mark.parametrize(
    "places",
    [["run/Trainer/model_run"] * 2, ["run/Trainer/0a1b/model_run", "run/Trainer/2c3d/model_run"]],
    ids=["2.4", "2.5 and later"],
)
def test_a_retried_task_of_kubeflow_finds_the_checkpoint(scaled, tmp_path, places):
    killed("gradient_tape", scaled, tmp_path, 7, place=places[0])
    assert execute("gradient_tape", scaled, tmp_path, place=places[1]).begin == Position(0, 6)


@pytest.mark.parametrize(
    "other",
    [{"seed": 1}, {"epochs": 4}, {"loop": "fit", "step": "standard"}, {"learning_rate": 0.1}, {"checkpoints": {"steps": 2}}],
    ids=str,
)
def test_a_checkpoint_is_for_the_same_settings_but_how_often_it_is_written(scaled, tmp_path, other):
    killed("gradient_tape", scaled, tmp_path, 7)
    settings = {**other}
    begin = execute(settings.pop("loop", "gradient_tape"), scaled, tmp_path, **settings).begin
    assert (begin > Position(0, 0)) == ("checkpoints" in other)


def test_a_checkpoint_is_for_the_same_data(scaled, standardized, tmp_path):
    killed("gradient_tape", scaled, tmp_path, 7)
    shuffled = scaled._replace(graph_path=str(tmp_path / "other"))
    for split, of in (("train", "train"), ("eval", "train")):  # the same files in another place, and another eval split
        place = tmp_path / "other" / "examples" / f"Split-{split}"
        place.mkdir(parents=True)
        for file in Path(scaled.graph_path, "examples", f"Split-{of}").iterdir():
            (place / file.name).write_bytes(file.read_bytes())
    for name in ("transform_fn", "metadata", "transformed_metadata"):
        if Path(scaled.graph_path, name).exists():
            (tmp_path / "other" / name).symlink_to(Path(scaled.graph_path, name))
    assert execute("gradient_tape", shuffled, tmp_path).begin == Position(0, 0)


def test_a_damaged_checkpoint_is_told_and_the_training_begins_anew(scaled, tmp_path, caplog):
    killed("gradient_tape", scaled, tmp_path, 7)
    file = checkpoint(tmp_path)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert execute("gradient_tape", scaled, tmp_path).begin == Position(0, 0)
    assert re.search(r"The checkpoint .*\.npz cannot be read \(.*\): the training begins anew\.", caplog.text)


def test_a_checkpoint_that_cannot_be_written_ends_no_training(scaled, tmp_path, caplog):
    Path(tmp_path, "Trainer").mkdir()
    Path(tmp_path, "Trainer", "checkpoints").write_text("a file where the folder belongs", encoding="utf-8")
    assert len(execute("gradient_tape", scaled, tmp_path).epochs) == 3
    assert "could not be written" in caplog.text


def test_none_is_written_where_none_is_wanted(scaled, tmp_path):
    killed("gradient_tape", scaled, tmp_path, 27, checkpoints=None)
    assert checkpoint(tmp_path) is None


def test_a_file_is_whole_at_any_moment(tmp_path):
    file = str(tmp_path / "checkpoints" / "a.npz")
    state = checkpoints.State(Position(1, 2), [{"wait": 3}], {"model/0/0": np.arange(5, dtype=np.float32)})
    checkpoints.write(file, state)
    with pytest.raises(TypeError):  # as far as JSON goes, before anything is on the disk
        checkpoints.write(file, state._replace(values=[{"wait": object()}]))
    found = checkpoints.read(file)
    assert (found.position, found.values) == (state.position, state.values)
    np.testing.assert_array_equal(found.arrays["model/0/0"], np.arange(5))
    assert [each.name for each in (tmp_path / "checkpoints").iterdir()] == ["a.npz"]


@pytest.mark.parametrize("loop", LOOPS)
def test_the_log_and_the_progress_say_where_it_goes_on(scaled, tmp_path, monkeypatch, caplog, loop):
    killed(loop, scaled, tmp_path, 18, epochs=20)
    monkeypatch.setenv("TAPELINE_PROGRESS", str(tmp_path / "progress.jsonl"))
    with caplog.at_level(logging.INFO, "trainer"):
        end = execute(loop, scaled, tmp_path, epochs=20)
    assert re.search(rf"The training goes on from epoch 2 of 20, step {end.begin.step + 1} of 10, by .*\.npz\.", caplog.text)
    lines = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [epoch + 1 for epoch in end.epochs]
    assert [line.get("resumed") for line in lines] == [1] + [None] * (len(lines) - 1)


@pytest.mark.parametrize("loop", LOOPS)
def test_sigterm_is_obeyed_when_the_state_is_kept(scaled, tmp_path, loop):
    settings = {"checkpoints": {"minutes": 1000.0}, "batch_size": 1, "epochs": 2, "cache": "memory"}
    whole = execute(loop, scaled, tmp_path / "whole", **settings)
    before = signal.getsignal(signal.SIGTERM)

    def ended(data, callbacks):
        return data, [Kill(1, lambda: signal.raise_signal(signal.SIGTERM)), *callbacks]

    with pytest.raises(Terminated, match=r"go on from epoch \d of 2.*\. Received: SIGTERM\. Run the same again: it goes on from there\."):
        execute(loop, scaled, tmp_path / "ended", ended, **settings)
    assert signal.getsignal(signal.SIGTERM) is before
    again = execute(loop, scaled, tmp_path / "ended", **settings)
    assert Position(0, 0) < again.begin
    assert_same_end(whole, again)


def test_a_handler_that_was_there_before_ends_the_process_its_own_way(scaled, tmp_path):
    class Own(Exception):
        pass

    def handle(*_):
        raise Own

    before = signal.signal(signal.SIGTERM, handle)
    try:
        with pytest.raises(Own):
            execute(
                "gradient_tape",
                scaled,
                tmp_path,
                lambda data, callbacks: (data, [Kill(1, lambda: signal.raise_signal(signal.SIGTERM)), *callbacks]),
            )
    finally:
        signal.signal(signal.SIGTERM, before)
    assert checkpoint(tmp_path)


_CHILD = """
import os, signal, sys
import numpy as np
from tests.problems import of_pictures
from tests.trainer.conftest import Artifacts
from tests.trainer.interrupted import Kill, execute
folder, loop, calls, graph = sys.argv[1:]
artifacts = Artifacts(None, None, [], [], graph, None, of_pictures())
kill = Kill(int(calls), lambda: os.kill(os.getpid(), signal.SIGKILL))
end = execute(loop, artifacts, folder, lambda data, callbacks: (data, [kill, *callbacks]))
np.savez(f"{folder}/end.npz", *end.weights, *end.best, begin=end.begin)
"""


@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
def test_killed_by_the_system_and_started_as_another_process(scaled, tmp_path, loop):
    def status(name, calls):
        (tmp_path / name).mkdir(exist_ok=True)
        command = [sys.executable, "-c", _CHILD, str(tmp_path / name), loop, str(calls), scaled.graph_path]
        return subprocess.run(command, check=False).returncode

    assert [status("whole", 0), status("killed", 7), status("killed", 3), status("killed", 0)] == [0, -9, -9, 0]
    whole, again = (dict(np.load(tmp_path / name / "end.npz")) for name in ("whole", "killed"))
    assert list(whole.pop("begin")) == [0, 0] < list(again.pop("begin"))
    for name, values in whole.items():
        np.testing.assert_array_equal(values, again[name])
