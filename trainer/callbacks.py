"""The one list of Keras callbacks that both loops drive, and how the best weights come back at the end."""

import datetime
import json
import logging
import pathlib
import time
from typing import Any

import keras

from trainer import watched
from trainer.averaged_weights import AveragedWeights
from trainer.config import EarlyStoppingConfig, TrainerConfig
from trainer.csv_history import CsvHistory
from trainer.not_finite import StopAtNotFinite
from trainer.reference import is_reference, parts
from trainer.time_limit import TimeLimit

PROGRESS_VARIABLE = "TAPELINE_PROGRESS"

_log = logging.getLogger(__name__)


def make_callbacks(
    config: TrainerConfig, model_run_dir: str, examples: int, checkpoint: str | None = None, progress: str | None = None
) -> list[keras.callbacks.Callback]:
    """What ends a training, keeps its best weights, lowers its rate and shows how it goes, as configured; the history is the last.

    Args:
      config: the epochs, when to stop early, and which weights are wanted.
      model_run_dir: where the best weights and the logs (`history.csv`, `TIME-LOOP-MODEL/train/`, `.../validation/`) go.
      examples: rows of the training split, for the speed that is reported.
      checkpoint: where the training's state lies, if it is kept.
      progress: the file that gets a line an epoch, if there is one.
    """
    return [
        StopAtNotFinite(config, checkpoint),
        *([_keep_best(config, model_run_dir)] if config.weights == "best" else []),
        *([_stop_early(config, config.early_stopping)] if config.early_stopping else []),
        _tensorboard(config, model_run_dir),  # shows the rate before it is lowered
        *([_lower_rate(config)] if config.schedule == "plateau" else []),
        *([TimeLimit(config.minutes)] if config.minutes else []),
        CsvHistory(f"{model_run_dir}/history.csv"),
        Progress(config.epochs, examples, progress),
        *([AveragedWeights()] if config.ema else []),
        keras.callbacks.History(),
    ]


def _tensorboard(config: TrainerConfig, model_run_dir: str) -> keras.callbacks.Callback:
    more = config.tensorboard
    kind = _TensorBoardWithNorm if more.gradient_norm else keras.callbacks.TensorBoard
    return kind(
        f"{model_run_dir}/{_run_name(config)}",
        histogram_freq=more.histogram_freq,
        write_graph=False,
        profile_batch=more.profile_batch or 0,
    )


class _TensorBoardWithNorm(keras.callbacks.TensorBoard):
    """Shows the norm of the gradients as one more value of an epoch; the history does not have it."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Of an epoch that was interrupted it is that of the rest."""
        super().on_epoch_end(epoch, {**(logs or {}), "gradient_norm": self.model.optimizer.take_mean_norm()})


def _keep_best(config: TrainerConfig, model_run_dir: str) -> keras.callbacks.Callback:
    return keras.callbacks.ModelCheckpoint(
        _best_weights(model_run_dir),
        f"val_{config.best_by}",
        mode=watched.mode(config, config.best_by),
        save_best_only=True,
        save_weights_only=True,
    )


def _stop_early(config: TrainerConfig, stop: EarlyStoppingConfig) -> keras.callbacks.Callback:
    return keras.callbacks.EarlyStopping(f"val_{stop.metric}", stop.min_delta, stop.patience, mode=watched.mode(config, stop.metric))


def _lower_rate(config: TrainerConfig) -> keras.callbacks.Callback:
    """Earlier than the training is stopped, so that a lower rate is tried before."""
    stop = config.early_stopping
    metric, patience, min_delta = (stop.metric, max(1, stop.patience // 2), stop.min_delta) if stop else (config.best_by, 2, 0.0)
    return keras.callbacks.ReduceLROnPlateau(
        f"val_{metric}", factor=0.5, patience=patience, mode=watched.mode(config, metric), min_delta=min_delta
    )


def restore_best_weights(model: keras.Model, model_run_dir: str) -> None:
    """Gives the model the weights of the epoch that did best on the eval split."""
    model.load_weights(_best_weights(model_run_dir))


def _run_name(config: TrainerConfig) -> str:
    """What TensorBoard shows: the number that TFX gives the folder above says nothing. The time is written as in the logs' names."""
    return f"{datetime.datetime.now():%Y%m%d-%H%M%S}-{config.loop}-{_model_name(config)}"


def _model_name(config: TrainerConfig) -> str:
    return pathlib.Path(parts(config.model)[0]).stem if is_reference(config.model) else config.model


def _best_weights(model_run_dir: str) -> str:
    return f"{model_run_dir}/best.weights.h5"  # TFX may hand over a URL, which `pathlib` would break


class Progress(keras.callbacks.Callback):
    """One line an epoch through `logging`, and one JSON object an epoch appended to `file`, if there is one.

    Attributes:
      lines: the objects of all epochs, those before an interruption too.
    """

    def __init__(self, epochs: int, examples: int, file: str | None) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []
        self._epochs, self._examples, self._file = epochs, examples, file
        self._started = self._trained = 0.0

    def go_on(self, lines: list[dict[str, Any]]) -> None:
        """Takes the lines of the epochs before an interruption for its own, and marks them in the file."""
        self.lines = [{**line, "resumed": 1} for line in lines]
        self._append(*self.lines)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts the clock."""
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Stops the clock: what follows the epoch's last call is validation."""
        self._trained = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the lines."""
        values = {name: round(float(value), 6) for name, value in (logs or {}).items()}
        speed = round(self._examples / max(self._trained - self._started, 1e-9))
        line = {"epoch": epoch + 1, "epochs": self._epochs, **values, "examples_per_second": speed}
        _log.info("epoch %d of %d: %s, %d examples/s", epoch + 1, self._epochs, ", ".join(f"{k} {v:.4f}" for k, v in values.items()), speed)
        self.lines.append(line)
        self._append(line)

    def _append(self, *lines: dict[str, Any]) -> None:
        if self._file:
            with pathlib.Path(self._file).open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(line) + "\n" for line in lines)
