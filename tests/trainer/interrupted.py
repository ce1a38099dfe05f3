"""Trainings that end on the way and are started again, as TFX does it: each execution in a folder of its own."""

import shutil
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from trainer import fit, gradient_tape
from trainer.callbacks import restore_best_weights
from trainer.input_pipeline import Position
from trainer.run import run

LOOPS = {"fit": fit, "gradient_tape": gradient_tape}
DIGITS = {"model": "mlp", "epochs": 3, "batch_size": 32, "strategy": "one_device", "checkpoints": {"steps": 3}}  # 10 steps an epoch


class Killed(Exception):
    """Nothing of the training is put in order."""


class _TrainedWithoutExport(Exception):
    pass


class End(NamedTuple):
    """What a training comes to."""

    begin: Position
    epochs: list[int]
    history: dict[str, list[float]]
    weights: list[np.ndarray]  # of model and optimizer, the random generators' state among them
    best: list[np.ndarray]


class Kill(keras.callbacks.Callback):
    """Raises when so many calls of the loop have ended."""

    def __init__(self, calls, do=None):
        super().__init__()
        self.calls, self.do = calls, do or self._die

    def on_train_batch_end(self, batch, logs=None):
        self.calls -= 1
        if self.calls == 0:
            self.do()

    def _die(self):
        raise Killed


def execute(loop, artifacts, folder, change=lambda data, callbacks: (data, callbacks), place="", **settings):
    """One execution without its export; `change` may replace the training batches and the callbacks.

    Its outputs are in the next folder of a local run, or at `place`, which is emptied.
    """
    outputs = Path(folder, "Trainer", "model_run")
    number = 1 + max([int(each.name) for each in outputs.glob("[0-9]*")], default=0)
    model_run_dir = Path(folder, place or f"Trainer/model_run/{number}")
    for old in (model_run_dir, *outputs.glob("[0-9]*")):  # the runner removes what a killed run has left
        shutil.rmtree(old, ignore_errors=True)
    model_run_dir.mkdir(parents=True)
    fn_args = artifacts.fn_args(Path(folder), loop=loop, **{**DIGITS, **settings})
    fn_args.model_run_dir = str(model_run_dir)
    end = []

    def train(model, train_batches, eval_batches, strategy, config, callbacks):
        train_batches, callbacks = change(train_batches, callbacks)
        history = LOOPS[loop].train(model, train_batches, eval_batches, strategy, config, callbacks)
        weights = [variable.numpy() for variable in [*model.variables, *model.optimizer.variables]]
        if config.weights == "best":
            restore_best_weights(model, fn_args.model_run_dir)
        end.append(End(train_batches.begin, history.epoch, history.history, weights, model.get_weights()))
        raise _TrainedWithoutExport

    try:
        run(fn_args, train)
    except _TrainedWithoutExport:
        return end[0]
    raise AssertionError("Expected the loop to have been run.")


def killed(loop, artifacts, folder, steps, more=(), **settings):
    """An execution that ends after about so many of its training steps, wherever that is between two checkpoints.

    `more` are callbacks before all others.
    """

    def change(data, callbacks):
        if loop == "fit":  # which takes the end of the data for that of the epoch
            return data, [*more, Kill(max(1, steps // 2)), *callbacks]
        return data._replace(dataset=data.dataset.take(steps)), [*more, *callbacks]

    try:
        execute(loop, artifacts, folder, change, **settings)
    except (Killed, tf.errors.OutOfRangeError):
        return
    raise AssertionError("Expected the training to have been interrupted.")


def checkpoint(folder):
    """The file, None where there is none."""
    return next(Path(folder).glob("Trainer/checkpoints/*"), None)


def assert_same_end(first, second):
    """Bit for bit."""
    assert first.epochs == second.epochs
    assert first.history == second.history
    for left, right in zip([*first.weights, *first.best], [*second.weights, *second.best], strict=True):
        np.testing.assert_array_equal(left, right)
