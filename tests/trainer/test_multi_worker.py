"""Two workers on this machine that train one model: `trainer.strategy: multi_worker`."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer import workers
from tests.trainer.conftest import ROWS
from tests.trainer.interrupted import checkpoint, execute
from trainer.input_pipeline import eval_batches, read_split, train_batches
from trainer.shards import Shard

PROGRAM = str(Path(__file__).with_name("worker_program.py"))
SETTINGS = {
    "loop": "gradient_tape",
    "strategy": "multi_worker",
    "model": "mlp",
    "epochs": 3,
    "batch_size": 64,  # of 299 rows: the last batch has 43, of which the workers have 22 and 21
    "checkpoints": {"steps": 2},
    "must_learn": False,
}
NOTHING = {}

pytestmark = pytest.mark.slow


def trained(artifacts, folder, environs=(NOTHING, NOTHING), settings=(NOTHING, NOTHING)):
    """(status, last line of stderr, what the training came to or None) of each worker, the chief first."""
    started, places = [], []
    addresses = workers.free_addresses(2)
    for number in range(2):
        fn_args = artifacts.fn_args(Path(folder), **{**SETTINGS, **settings[number]})
        fn_args.model_run_dir = str(Path(folder, "Trainer/model_run/1"))
        places.append(Path(folder, f"end-{number}.npz"))
        own, temporary = Path(folder, f"worker-{number}"), Path(folder, f"tmp-{number}")
        temporary.mkdir(exist_ok=True, parents=True)
        variables = {"END": str(places[-1]), "TMPDIR": str(temporary), **environs[number]}
        arguments = workers.command(fn_args, own, [PROGRAM])
        started.append(workers.start(arguments, workers.tf_config(addresses, number), **variables))
    return [
        (status, (stderr.splitlines() or [""])[-1], dict(np.load(place)) if place.exists() else None)
        for (status, _, stderr), place in zip(workers.ends(started), places, strict=True)
    ]


def assert_same(first, second, without=()):
    assert first.keys() == second.keys()
    for name in first.keys() - set(without):
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


@pytest.fixture(scope="module")
def whole(scaled, tmp_path_factory):
    """(folder, ends) of a training that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    ends = trained(scaled, folder)
    assert [status for status, *_ in ends] == [0, 0], ends
    return folder, [end for *_, end in ends]


def test_both_workers_end_with_equal_weights_and_an_equal_history(whole):
    _, (chief, other) = whole
    assert chief["loss"][-1] < chief["loss"][0]
    assert_same(chief, other)


def of_both_workers(make):
    """What two workers' batches are together, in the workers' order, as one process has them."""

    def batches(split, config, task, *begin):
        splits = [read_split(split.files, split.spec, config, split.parsed_label, Shard(number, 2), task.is_known) for number in range(2)]
        made = [make(each, config, task, *begin) for each in splits]
        parts = tf.data.Dataset.zip(tuple(each.dataset for each in made))
        return made[0]._replace(dataset=parts.map(lambda *part: tf.nest.map_structure(lambda *rows: tf.concat(rows, 0), *part)))

    return batches


def test_weights_and_metrics_are_those_of_one_process_with_two_replicas_and_the_same_order(scaled, tmp_path, whole, monkeypatch):
    """The rows of each replica are the same; what two replicas of a process sum up, in another order, may differ in the last bit."""
    _, (chief, _) = whole
    monkeypatch.setattr("trainer.run.train_batches", of_both_workers(train_batches))
    monkeypatch.setattr("trainer.run.eval_batches", of_both_workers(eval_batches))
    settings = {name: value for name, value in SETTINGS.items() if name != "loop"} | {"strategy": "mirrored"}
    one = execute("gradient_tape", scaled, tmp_path, **settings)
    for number, weight in enumerate(one.weights):
        np.testing.assert_allclose(chief[f"weight {number:03d}"], weight, rtol=0, atol=1e-6)
    for name, values in one.history.items():
        np.testing.assert_allclose(chief[name], values, rtol=1e-6, err_msg=name)


def test_only_the_chief_writes_and_its_model_answers(scaled, whole):
    folder, _ = whole
    assert not [file for file in Path(folder, "tmp-1").rglob("*") if file.is_file()]
    assert {file.name for file in Path(folder, "Trainer").rglob("*") if file.suffix in (".csv", ".h5")} == {
        "history.csv",
        "best.weights.h5",
    }
    assert len(list(Path(folder, "Trainer").rglob("train/events*"))) == 1
    assert checkpoint(folder) is None
    served = tf.saved_model.load(str(Path(folder, "serving_model"))).signatures["serving_default"]
    probabilities = served(examples=tf.constant(scaled.raw[ROWS["eval"]]))["probabilities"].numpy()
    right = probabilities.argmax(axis=-1) == scaled.labels[ROWS["eval"]]
    _, (chief, _) = whole
    assert right.mean() == pytest.approx(chief["val_accuracy"][np.argmin(chief["val_loss"])], abs=1e-6)


@pytest.mark.parametrize("lost", [1, 0])
def test_where_a_worker_is_killed_the_other_says_so_in_one_line_and_both_go_on_to_the_same_bits(scaled, tmp_path, whole, lost):
    environs = [NOTHING, NOTHING]
    environs[lost] = {"AT": "5 SIGKILL"}
    ends = trained(scaled, tmp_path, environs)
    assert ends[lost][0] == -9
    status, line, end = ends[1 - lost]
    assert (status, end) == (1, None)
    assert line.startswith(f"Expected worker {lost} at 127.0.0.1:")
    assert line.endswith("Start all workers again: the training goes on from its checkpoint.")
    assert checkpoint(tmp_path)
    again = trained(scaled, tmp_path)
    assert [status for status, *_ in again] == [0, 0], again
    for (*_, end), other in zip(again, whole[1], strict=True):
        assert tuple(end["begin"]) > (0, 0)
        assert_same(end, other, without=["begin"])


@pytest.mark.parametrize("told", [1, 0])
def test_where_one_worker_gets_a_sigterm_all_end_at_the_same_step_and_go_on_to_the_same_bits(scaled, tmp_path, whole, told):
    environs = [NOTHING, NOTHING]
    environs[told] = {"AT": "5 SIGTERM"}
    ends = trained(scaled, tmp_path, environs)
    assert [status for status, *_ in ends] == [143, 143]
    assert ends[0][1] == ends[1][1]
    assert ends[0][1].startswith("Expected the training to go on from epoch 2 of 3, step 5 of 5. Received: SIGTERM.")
    again = trained(scaled, tmp_path)
    for (*_, end), other in zip(again, whole[1], strict=True):
        assert tuple(end["begin"]) == (1, 4)
        assert_same(end, other, without=["begin"])


def test_a_worker_with_other_settings_ends_all_with_one_line(scaled, tmp_path):
    ends = trained(scaled, tmp_path, settings=(NOTHING, {"learning_rate": 0.5}))
    for status, line, _ in ends:
        assert status == 2
        assert line.startswith(
            "Expected the same settings, code, packages and transformed examples on all workers. Received others on worker 1"
        )


def test_a_step_with_models_of_its_own_averages_and_a_last_batch_of_one_row_train_alike(scaled, tmp_path):
    settings = {"step": {"kind": "gan", "warm_up": 0}, "model": "resnet", "ema": 0.9, "epochs": 2, "batch_size": 100}
    chief, other = trained(scaled, tmp_path, settings=(settings, settings))
    assert [chief[0], other[0]] == [0, 0]
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        np.testing.assert_array_equal(chief[2][name], other[2][name])
        assert np.isfinite(chief[2][name]).all()
