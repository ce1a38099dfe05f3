"""The seam: both loops, one recipe."""

import functools
import json
import os
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from trainer import fit, gradient_tape, teacher
from trainer.callbacks import PROGRESS_VARIABLE, make_callbacks, restore_best_weights
from trainer.config import EarlyStoppingConfig, TrainerConfig
from trainer.errors import ConfigError
from trainer.features import names
from trainer.input_pipeline import Batches, eval_batches, read_split, train_batches
from trainer.models import build_model
from trainer.run import run
from trainer.strategy import make_strategy
from trainer.tasks import Multiclass

LOOPS = {"fit": fit, "gradient_tape": gradient_tape}


def trained(loop, artifacts, folder, make_optimizer=None, callbacks=None, **settings):
    """(model after the last epoch, history) of what `run` does up to there; `make_optimizer` gives another than the config's."""
    config = TrainerConfig(**{"loop": loop, "model": "mlp", "epochs": 2, "batch_size": 32, "strategy": "one_device", **settings})
    spec = tft.TFTransformOutput(artifacts.graph_path).transformed_feature_spec()
    task = artifacts.problem.task
    config = config.model_copy(update={"step": prepared(config.step, artifacts)})
    batches = [
        make(read_split(artifacts.files(split), spec, config), config, task)
        for split, make in (("train", train_batches), ("eval", eval_batches))
    ]
    strategy = make_strategy(config.strategy)
    with strategy.scope():
        model = build_model(config, task, {names.PIXELS: spec[names.PIXELS]})
        if make_optimizer:
            model.compile(make_optimizer(), model.loss, metrics=config.metrics, jit_compile=False)
            model.optimizer.build(model.trainable_variables)
        step = config.step.with_models(batches[0].dataset.element_spec[0], config.seed, batches[0].steps)
        config = config.model_copy(update={"step": step})
    callbacks = callbacks or make_callbacks(config, str(folder / loop), batches[0].examples, progress=os.environ.get(PROGRESS_VARIABLE))
    history = LOOPS[loop].train(model, *batches, strategy, config, callbacks)
    return model, history.history


def prepared(step, artifacts):
    """The step with what `run` gives it."""
    step = step.for_task(artifacts.problem.task)
    if not step.HAS_TEACHER:
        return step
    return step.taught_by(teacher.load(artifacts.teacher(), artifacts.problem.task, tft.TFTransformOutput(artifacts.graph_path)))


def assert_same(first, second):
    """Equal weights, bit by bit, and an equal history."""
    for left, right in zip(first[0].get_weights(), second[0].get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    assert first[1].keys() == second[1].keys()
    for name, values in first[1].items():
        np.testing.assert_array_equal(values, second[1][name], err_msg=name)


@pytest.fixture(scope="module")
def both(scaled, tmp_path_factory):
    """(folder, model, history) of each loop, trained once on one device with a file for the progress."""
    results = {}
    for loop in LOOPS:
        folder = tmp_path_factory.mktemp("both")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TAPELINE_PROGRESS", str(folder / "progress.jsonl"))
            results[loop] = (folder, *trained(loop, scaled, folder, epochs=3))
    return results


def test_both_loops_end_with_equal_weights_and_an_equal_history(both):
    (_, *fitted), (_, *taped) = both.values()
    assert_same(fitted, taped)
    history = fitted[1]
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_both_loops_are_equal_on_two_replicas(scaled, tmp_path, cache):
    assert make_strategy("mirrored").num_replicas_in_sync == 2
    assert_same(*(trained(loop, scaled, tmp_path, strategy="mirrored", batch_size=64, cache=cache) for loop in LOOPS))


@pytest.mark.parametrize("loop", LOOPS)
def test_a_batch_has_the_same_rows_on_every_strategy(scaled, tmp_path, loop):
    one, cpu, two = (trained(loop, scaled, tmp_path / name, strategy=name, batch_size=64) for name in ("one_device", "cpu", "mirrored"))
    assert_same(one, cpu)
    steps = [int(model.optimizer.iterations.numpy()) for model, _ in (one, cpu, two)]
    assert steps == [2 * 5] * 3  # of 299 rows, 64 each time over all replicas together
    for left, right in zip(one[0].get_weights(), two[0].get_weights(), strict=True):
        np.testing.assert_allclose(left, right, atol=0.02)  # the dropout differs
    assert one[1]["val_loss"] == pytest.approx(two[1]["val_loss"], rel=0.05)


@pytest.mark.parametrize(
    "settings",
    [
        {"model": "cnn", "optimizer": "adamw", "metrics": ["accuracy", "top_3_accuracy"]},
        {"optimizer": "sgd", "loss": "categorical_crossentropy", "label_smoothing": 0.1, "metrics": ["top_5_accuracy"]},
        {"optimizer": "rmsprop", "loss": "categorical_focal_crossentropy", "cache": "none"},
        {"schedule": "one_cycle", "clip_value": 0.01, "accumulate": 3},
        {"schedule": "step", "warmup": 0.2, "clip_each_norm": 0.1, "strategy": "mirrored"},
        {"schedule": "exponential", "warmup": 0.1, "clip_norm": 0.5, "strategy": "mirrored"},
    ],
    ids=["cnn-adamw", "sgd-smoothed", "rmsprop-focal-streamed", "one-cycle-accumulated", "step", "exponential"],
)
def test_the_loops_agree_for_every_model_optimizer_loss_and_cache(scaled, tmp_path, settings):
    assert_same(*(trained(loop, scaled, tmp_path, **settings) for loop in LOOPS))


@pytest.mark.parametrize("strategy", ["one_device", "mirrored"])
@pytest.mark.parametrize("loss", ["auto", "categorical_crossentropy"])
def test_the_loops_agree_where_classes_have_weights_that_change_what_is_learnt(scaled, tmp_path, strategy, loss):
    weights = {str(number): 1.0 + number for number in range(10)}
    task = Multiclass(classes=10, class_weights=weights).fitted(tf.constant(scaled.labels))
    weighted = scaled._replace(problem=scaled.problem.model_copy(update={"task": task}))
    fitted, taped = (trained(loop, weighted, tmp_path, strategy=strategy, batch_size=64, loss=loss) for loop in LOOPS)
    assert_same(fitted, taped)
    plain, _ = trained("fit", scaled, tmp_path, strategy=strategy, batch_size=64, loss=loss)
    assert (plain.get_weights()[-1] != fitted[0].get_weights()[-1]).any()


@pytest.mark.parametrize(
    "make_optimizer",
    [
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=1024.0, dynamic_growth_steps=3),
        lambda: keras.optimizers.SGD(0.1, loss_scale_factor=512.0),
    ],
    ids=["dynamic", "fixed"],
)
@pytest.mark.parametrize("strategy", ["one_device", "mirrored"])
def test_the_loops_agree_where_the_optimizer_scales_the_loss(scaled, tmp_path, strategy, make_optimizer):
    fitted, taped = (trained(loop, scaled, tmp_path, make_optimizer, strategy=strategy, batch_size=64) for loop in LOOPS)
    assert_same(fitted, taped)
    assert fitted[1]["loss"][-1] < 0.95 * fitted[1]["loss"][0]  # gradients that are not scaled, but divided, hardly move the weights


@pytest.mark.parametrize("loop", LOOPS)
def test_training_stops_early_and_the_best_weights_come_back(scaled, tmp_path, loop):
    model, history = trained(
        loop, scaled, tmp_path, epochs=40, batch_size=100, learning_rate=0.05, early_stopping=EarlyStoppingConfig(patience=2)
    )
    best = int(np.argmin(history["val_loss"]))
    assert len(history["val_loss"]) == best + 3 < 40
    restore_best_weights(model, str(tmp_path / loop))
    spec = tft.TFTransformOutput(scaled.graph_path).transformed_feature_spec()
    batches = eval_batches(read_split(scaled.files("eval"), spec, TrainerConfig()), TrainerConfig(batch_size=32), scaled.problem.task)
    np.testing.assert_allclose(model.evaluate(batches.dataset, verbose=0, return_dict=True)["loss"], history["val_loss"][best], rtol=1e-5)


@pytest.mark.parametrize("loop", LOOPS)
def test_without_early_stopping_training_goes_to_the_end(scaled, tmp_path, loop):
    _, history = trained(loop, scaled, tmp_path, epochs=8, learning_rate=0.3, early_stopping=None)
    assert len(history["loss"]) == 8
    assert (np.diff(history["val_loss"][:-1]) > 0).any()  # so that patience had something to end


@pytest.mark.parametrize("loop", LOOPS)
def test_tensorboard_finds_the_metrics_of_both_splits_under_a_name_that_says_when_and_what(both, loop):
    folder, _, history = both[loop]
    for split, prefix in (("train", ""), ("validation", "val_")):
        (file,) = (folder / loop).glob(f"*/{split}/events.out.tfevents.*")
        assert re.fullmatch(rf"20\d{{6}}-\d{{6}}-{loop}-mlp", file.parent.parent.name)
        scalars = {}
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                scalars.setdefault(value.tag, []).append(float(tf.make_ndarray(value.tensor)))
        for name in ("loss", "accuracy"):
            np.testing.assert_allclose(scalars[f"epoch_{name}"], history[prefix + name], rtol=1e-5)


@pytest.mark.parametrize("loop", LOOPS)
def test_progress_is_one_json_line_an_epoch(both, loop):
    folder, _, history = both[loop]
    lines = [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]
    assert [(line["epoch"], line["epochs"]) for line in lines] == [(1, 3), (2, 3), (3, 3)]
    for name, values in history.items():
        np.testing.assert_allclose([line[name] for line in lines], values, atol=1e-6)
    assert all(line["examples_per_second"] > 0 for line in lines)


class Recorder(keras.callbacks.Callback):
    """Every call that Keras documents, with its epoch or batch and the names of its logs; of validation not its batches."""

    def __init__(self):
        super().__init__()
        self.calls = []
        hooks = ("train_begin", "epoch_begin", "train_batch_begin", "train_batch_end", "test_begin", "test_end", "epoch_end", "train_end")
        for hook in hooks:
            setattr(self, f"on_{hook}", functools.partial(self._record, hook))

    def _record(self, hook, *arguments, logs=None):
        numbers = [argument for argument in arguments if isinstance(argument, int)]
        (logs,) = [argument for argument in arguments if isinstance(argument, dict)] or [logs]
        self.calls.append((hook, *numbers, sorted(logs or {})))


def test_both_loops_make_the_same_calls_to_the_callbacks(scaled, tmp_path):
    recorders = {loop: Recorder() for loop in LOOPS}
    for loop, recorder in recorders.items():
        trained(loop, scaled, tmp_path, callbacks=[recorder])
    assert recorders["gradient_tape"].calls == recorders["fit"].calls
    assert len(recorders["fit"].calls) == 2 + 2 * 6  # of the training, and of each of two epochs


@pytest.mark.parametrize("loop", LOOPS)
def test_a_model_whose_training_was_stopped_before_is_trained_again(loop):
    config = TrainerConfig(epochs=2)
    rows = tf.data.Dataset.from_tensors((np.zeros((4, 8, 8, 1), np.float32), np.zeros(4, np.int64)))
    model = build_model(config, Multiclass(classes=10), {names.PIXELS: tf.io.FixedLenFeature((8, 8, 1), tf.float32)})
    model.stop_training = True
    history = LOOPS[loop].train(model, Batches(rows.repeat(2), 1, 4), Batches(rows, 1, 4), make_strategy("one_device"), config, [])
    assert len(history.history["loss"]) == 2


def test_batches_that_replicas_cannot_share_are_refused(scaled, tmp_path):
    with pytest.raises(ConfigError, match=r"`trainer.batch_size` to be a multiple of 2, .* Received: 33\. Try 34\."):
        run(scaled.fn_args(tmp_path, batch_size=33, strategy="mirrored"), fit.train)
    with pytest.raises(ConfigError, match=r"Expected at least `trainer.batch_size` \(128\) examples .*Received 101\. Try a smaller"):
        run(scaled.fn_args(tmp_path, batch_size=128, strategy="mirrored"), fit.train)


def test_accumulated_gradients_are_refused_on_replicas_where_keras_cannot_have_them(scaled, tmp_path):
    with pytest.raises(ConfigError, match=r"`trainer\.accumulate: 1` on 2 replicas.*Received: 3\. Set `trainer\.batch_size: 96`"):
        run(scaled.fn_args(tmp_path, batch_size=32, accumulate=3, strategy="mirrored"), fit.train)


def test_settings_that_are_missing_or_wrong_are_named(scaled, tmp_path):
    fn_args = scaled.fn_args(tmp_path)
    fn_args.custom_config = {}
    with pytest.raises(ConfigError, match=r"custom_config` to have the key 'trainer'"):
        run(fn_args, fit.train)
    fn_args.custom_config = {"trainer": '{"epochs": 0}'}
    with pytest.raises(ConfigError, match=r"`trainer\.epochs`: .*greater than or equal to 1\. Received: 0"):
        run(fn_args, fit.train)
