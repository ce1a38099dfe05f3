"""The seam: both loops, one recipe."""

import json

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from trainer import features, fit, gradient_tape
from trainer.callbacks import make_callbacks, restore_best_weights
from trainer.config import EarlyStoppingConfig, TrainerConfig
from trainer.errors import ConfigError, TrainingError
from trainer.input_pipeline import eval_batches, train_batches
from trainer.models import build_model, one_hot_labels
from trainer.run import run
from trainer.strategy import make_strategy

LOOPS = {"fit": fit, "gradient_tape": gradient_tape}


def trained(loop, artifacts, folder, **settings):
    """(model after the last epoch, history) of what `trainer.run.run` does up to there."""
    config = TrainerConfig(**{"epochs": 2, "batch_size": 32, "strategy": "one_device", **settings})
    spec = tft.TFTransformOutput(artifacts.graph_path).transformed_feature_spec()
    batches = [
        make(artifacts.files(split), spec, config, one_hot_labels(config)) for split, make in (("train", train_batches), ("eval", eval_batches))
    ]
    strategy = make_strategy(config.strategy)
    with strategy.scope():
        model = build_model(config, tuple(spec[features.PIXELS].shape))
    history = LOOPS[loop].train(model, *batches, strategy, config, make_callbacks(config, str(folder / loop), batches[0].examples))
    return model, history.history


def assert_same(first, second):
    """Equal weights, bit by bit, and an equal history."""
    for left, right in zip(first[0].get_weights(), second[0].get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    assert first[1].keys() == second[1].keys()
    for name, values in first[1].items():
        np.testing.assert_array_equal(values, second[1][name], err_msg=name)


@pytest.mark.parametrize("cache", ["memory", "none"])
@pytest.mark.parametrize("strategy", ["one_device", "mirrored"])
def test_both_loops_end_with_equal_weights_and_an_equal_history(scaled, tmp_path, strategy, cache):
    assert len(tf.config.list_logical_devices("CPU")) == 2
    results = [trained(loop, scaled, tmp_path, strategy=strategy, cache=cache, epochs=3) for loop in LOOPS]
    assert_same(*results)
    assert set(results[0][1]) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert results[0][1]["loss"][-1] < results[0][1]["loss"][0]


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "adamw", "metrics": ["accuracy", "top_3_accuracy"]},
        {"optimizer": "sgd", "loss": "categorical_crossentropy", "label_smoothing": 0.1, "metrics": ["top_5_accuracy"]},
        {"optimizer": "rmsprop", "loss": "categorical_focal_crossentropy"},
        {"model": "cnn"},
    ],
    ids=lambda settings: "-".join(str(value) for value in settings.values()),
)
def test_the_loops_agree_for_every_model_optimizer_and_loss(scaled, tmp_path, settings):
    assert_same(*(trained(loop, scaled, tmp_path, epochs=1, **settings) for loop in LOOPS))


def test_two_replicas_learn_what_one_learns(scaled, tmp_path):
    one, two = (trained("fit", scaled, tmp_path, strategy=strategy, dropout=0.0, batch_size=299) for strategy in ("one_device", "mirrored"))
    for left, right in zip(one[0].get_weights(), two[0].get_weights(), strict=True):
        np.testing.assert_allclose(left, right, atol=2e-3)  # 299 rows are shared 150 to 149, and each replica weighs half
    np.testing.assert_allclose(one[1]["loss"], two[1]["loss"], rtol=1e-3)


@pytest.mark.parametrize("loop", LOOPS)
def test_training_stops_early_and_the_best_weights_come_back(scaled, tmp_path, loop):
    model, history = trained(loop, scaled, tmp_path, epochs=60, learning_rate=0.05, early_stopping=EarlyStoppingConfig(patience=2))
    best = int(np.argmin(history["val_loss"]))
    assert len(history["val_loss"]) == best + 3 < 60
    restore_best_weights(model, str(tmp_path / loop))
    spec = tft.TFTransformOutput(scaled.graph_path).transformed_feature_spec()
    batches = eval_batches(scaled.files("eval"), spec, TrainerConfig(batch_size=32))
    np.testing.assert_allclose(model.evaluate(batches.dataset, verbose=0, return_dict=True)["loss"], history["val_loss"][best], rtol=1e-5)


def test_early_stopping_can_be_turned_off_and_both_loops_run_to_the_end(scaled, tmp_path):
    results = [trained(loop, scaled, tmp_path, epochs=8, learning_rate=0.3, early_stopping=None) for loop in LOOPS]
    assert [len(history["loss"]) for _, history in results] == [8, 8]


@pytest.mark.parametrize("loop", LOOPS)
def test_tensorboard_finds_the_metrics_of_both_splits(scaled, tmp_path, loop):
    _, history = trained(loop, scaled, tmp_path)
    for split, prefix in (("train", ""), ("validation", "val_")):
        (file,) = (tmp_path / loop / split).glob("events.out.tfevents.*")
        scalars = {}
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                scalars.setdefault(value.tag, []).append(float(tf.make_ndarray(value.tensor)))
        for name in ("loss", "accuracy"):
            np.testing.assert_allclose(scalars[f"epoch_{name}"], history[prefix + name], rtol=1e-5)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loss_that_is_no_number_ends_the_training_with_advice(scaled, tmp_path, loop):
    with pytest.raises(TrainingError, match=r"Expected a finite `loss`\. Received nan in epoch \d of 30\. Try a smaller `trainer.learning_rate` than 10\.0"):
        trained(loop, scaled, tmp_path, epochs=30, optimizer="sgd", learning_rate=10.0, model="cnn")


@pytest.mark.parametrize("loop", LOOPS)
def test_progress_is_one_json_line_an_epoch(scaled, tmp_path, loop, monkeypatch):
    monkeypatch.setenv("TAPELINE_PROGRESS", str(tmp_path / "progress.jsonl"))
    _, history = trained(loop, scaled, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert [(line["epoch"], line["epochs"]) for line in lines] == [(1, 2), (2, 2)]
    np.testing.assert_allclose([line["val_accuracy"] for line in lines], history["val_accuracy"], atol=1e-6)
    assert all(line["examples_per_second"] > 0 for line in lines)


def test_settings_that_are_missing_or_wrong_are_named(scaled, tmp_path):
    fn_args = scaled.fn_args(tmp_path)
    fn_args.custom_config = {}
    with pytest.raises(ConfigError, match=r"custom_config` to have the key 'trainer'"):
        run(fn_args, fit.train)
    fn_args.custom_config = {"trainer": '{"epochs": 0}'}
    with pytest.raises(ConfigError, match=r"`trainer\.epochs`: .*greater than or equal to 1\. Received: 0"):
        run(fn_args, fit.train)
