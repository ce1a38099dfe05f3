"""A training's whole state in one file, so that one that was interrupted goes on as if nothing had happened.

before: is there a state of the same settings and data? -> the train split begins at its position
first: it goes back into the model, the optimizer and the callbacks
whenever the loop comes back to Python, and it is time: all of it -> a new file -> renamed over the last one
after the export: removed
"""

import contextlib
import hashlib
import io
import json
import logging
import time
import zipfile
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from trainer.callbacks import Progress
from trainer.config import CheckpointsConfig
from trainer.csv_history import CsvHistory
from trainer.input_pipeline import START, Position
from trainer.not_finite import StopAtNotFinite
from trainer.termination import Termination
from trainer.time_limit import TimeLimit
from trainer.workers import Workers

_GZIP_END = 8  # bytes: CRC-32 and length of what is in the file
_VALUES, _BEST = "values.json", "best"  # in the file, beside the variables
_STATE: dict[type[keras.callbacks.Callback], tuple[str, ...]] = {
    keras.callbacks.EarlyStopping: ("wait", "best", "best_epoch", "stopped_epoch"),
    keras.callbacks.ModelCheckpoint: ("best",),
    keras.callbacks.ReduceLROnPlateau: ("wait", "best", "cooldown_counter"),
    keras.callbacks.History: ("epoch", "history"),
    Progress: ("lines",),
    CsvHistory: ("rows",),
    TimeLimit: ("spent",),
}

_log = logging.getLogger(__name__)


class State(NamedTuple):
    """What a file holds.

    Attributes:
      position: where the training goes on.
      values: each callback's attributes, in the callbacks' order.
      arrays: every variable's values by group, number and replica, and the best weights' file as bytes.
    """

    position: Position
    values: list[dict[str, Any]]
    arrays: dict[str, np.ndarray]

    def digest(self) -> str:
        """Another one for another state."""
        digest = hashlib.sha256(json.dumps([self.position, self.values]).encode())
        for name, array in sorted(self.arrays.items()):
            digest.update(name.encode() + array.tobytes())
        return digest.hexdigest()


def file_for(model_run_dir: str, fingerprint: str) -> str:
    """Where a training's state lies: two folders above the outputs of the Trainer's execution, so that another execution finds it.

    That is `artifacts/Trainer/` of a local run, where another execution has another number behind `Trainer/model_run/`. On Kubeflow it is
    the task's folder, in which a retry has one of its own since version 2.5, and before that the run's.
    """
    return f"{model_run_dir.rstrip('/').rsplit('/', 2)[0]}/checkpoints/{fingerprint}.npz"


def fingerprint(files: Iterable[str], *parts: str) -> str:
    """What must be the same for a training to go on: `parts`, and the content of the gzipped `files`, of which only the ends are read."""
    digest = hashlib.sha256(json.dumps(parts).encode())
    for name in sorted(files):
        length = tf.io.gfile.stat(name).length
        with tf.io.gfile.GFile(name, "rb") as file:
            file.seek(max(0, length - _GZIP_END))
            digest.update(f"{name.rpartition('/')[2]} {length} ".encode() + file.read())
    return digest.hexdigest()[:32]


def read(file: str) -> State | None:
    """What `file` holds; None where it is not there, or is damaged, which is said in the log."""
    if not tf.io.gfile.exists(file):
        return None
    try:
        with tf.io.gfile.GFile(file, "rb") as stream:
            content = io.BytesIO(stream.read())
        with zipfile.ZipFile(content) as archive:
            if damaged := archive.testzip():
                raise zipfile.BadZipFile(damaged)
    except (OSError, tf.errors.OpError, zipfile.BadZipFile) as error:
        _log.warning("The checkpoint %s cannot be read (%s): the training begins anew.", file, error)
        return None
    content.seek(0)
    with np.load(content, allow_pickle=False) as stored:
        arrays = dict(stored)
    position, values = json.loads(arrays.pop(_VALUES).tobytes())
    return State(Position(*position), values, arrays)


def write(file: str, state: State) -> None:
    """Puts `state` in the place of what `file` held, all of it or nothing.

    Raises:
      OSError, tf.errors.OpError: it could not be written; the file is as it was.
    """
    values = np.frombuffer(json.dumps([state.position, state.values]).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **state.arrays, **{_VALUES: values})
    tf.io.gfile.makedirs(file.rpartition("/")[0])
    with tf.io.gfile.GFile(_part(file), "wb") as stream:
        stream.write(buffer.getvalue())
    tf.io.gfile.rename(_part(file), file, overwrite=True)


def remove(file: str) -> None:
    """The training has ended well, and what came of it is safe."""
    for place in (file, _part(file)):
        with contextlib.suppress(OSError, tf.errors.OpError):
            tf.io.gfile.remove(place)
    folder = file.rpartition("/")[0]
    with contextlib.suppress(OSError, tf.errors.OpError):
        if not tf.io.gfile.listdir(folder):
            tf.io.gfile.rmtree(folder)


def _part(file: str) -> str:
    """What is written before it is renamed; only one training writes it."""
    return f"{file}.part"


class Checkpoint(keras.callbacks.Callback):
    """Takes up the state that was found, and writes one whenever it is time; the last of the callbacks, and one of both loops.

    It counts the steps by what the loop says of its calls, of which one may have many.
    """

    def __init__(
        self,
        file: str,
        config: CheckpointsConfig,
        epochs: int,
        steps: int,
        others: list[keras.callbacks.Callback],
        found: State | None,
        termination: Termination,
        own: Iterable[keras.Variable],
        workers: Workers,
    ) -> None:
        """What it needs of the training.

        Args:
          file: where the state goes.
          config: when.
          epochs: the most.
          steps: of an epoch.
          others: the callbacks before this one, whose state belongs to it.
          found: what to go on from.
          termination: when this has come, the training ends as soon as its state is kept.
          own: variables of the training's step, beside the model's and the optimizer's.
          workers: who trains; the chief writes what all of them take up again.
        """
        super().__init__()
        self._file, self._config, self._epochs, self._steps = file, config, epochs, steps
        self._others, self._found, self._termination = others, found, termination
        self._own, self._workers = list(own), workers
        self._position = found.position if found else START
        self._call_began = 0
        self._new_epochs = self._new_steps = 0  # since the last file
        self._written = 0.0  # when that was

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """The callbacks before this one have forgotten all by now, so that they can be told again."""
        self._written = time.monotonic()
        if not self._found:
            return
        self._assign(self._trained())
        for callback, values in zip(self._others, self._found.values, strict=True):
            if isinstance(callback, Progress | CsvHistory):
                callback.go_on(**values)
            else:
                vars(callback).update(values)
        for callback in self._best() if _BEST in self._found.arrays else []:
            tf.io.gfile.makedirs(callback.filepath.rpartition("/")[0])
            with tf.io.gfile.GFile(callback.filepath, "wb") as file:
                file.write(self._found.arrays[_BEST].tobytes())
        _log.info("The training goes on from %s, by %s.", self._where(), self._file)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """An epoch that was interrupted has its metrics so far."""
        if self._found and self._position.step:
            self._assign(_measured(self.model))
        self._found = None  # which may be large

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """A call of one step or more begins."""
        self._call_began = batch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """It has ended; where the epoch has too, the validation comes first."""
        done = batch + 1 - self._call_began
        self._position = self._position._replace(step=self._position.step + done)
        self._new_steps += done
        if self._position.step < self._steps:
            self._write_if_due(is_epoch=False)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """The callbacks before this one have seen it."""
        self._position = Position(self._epochs if self.model.stop_training else epoch + 1, 0)
        self._new_epochs += 1
        self._write_if_due(is_epoch=True)

    def _write_if_due(self, *, is_epoch: bool) -> None:
        every, ended = self._config, self._workers.any(self._termination.has_come)
        is_due = bool(
            (every.steps and self._new_steps >= every.steps)
            or (every.minutes and time.monotonic() - self._written >= 60 * every.minutes)
            or (every.epochs and is_epoch and self._new_epochs >= every.epochs)
        )
        if not (ended or self._workers.any(is_due)):
            return
        is_kept = self._write()
        if ended:
            said = f"Expected the training to go on from {self._where()}. Received: SIGTERM. Run the same again"
            said += ": it goes on from there." if is_kept else "."
            _log.warning(said)
            self._termination.obey(said)

    def _write(self) -> bool:
        for callback in self._others:
            if isinstance(callback, StopAtNotFinite):
                callback.check_weights()  # what is kept must be worth going on from
        self._new_epochs = self._new_steps = 0
        self._written = time.monotonic()
        state = self._state()  # which all workers have a part in
        if not self._workers.is_chief:
            return True
        try:
            write(self._file, state)
        except (OSError, tf.errors.OpError) as error:  # the training itself does without
            _log.warning("The checkpoint %s could not be written: %s", self._file, error)
            return False
        return True

    def _where(self) -> str:
        epoch, step = self._position
        if epoch >= self._epochs:
            return "the end of its last epoch"
        return f"epoch {epoch + 1} of {self._epochs}" + (f", step {step + 1:,} of {self._steps:,}" if step else "")

    def _state(self) -> State:
        values = [{name: getattr(callback, name) for name in _kept(callback)} for callback in self._others]
        arrays = {}
        for callback in self._best():
            with contextlib.suppress(OSError, tf.errors.OpError), tf.io.gfile.GFile(callback.filepath, "rb") as file:  # there is none yet
                arrays[_BEST] = np.frombuffer(file.read(), np.uint8)
        own = {name: [copy.numpy() for copy in copies] for name, copies in [*self._trained().items(), *_measured(self.model).items()]}
        for name, (first, *others) in self._workers.copies(own).items():
            arrays[f"{name}/0"] = first
            arrays |= {f"{name}/{replica}": other for replica, other in enumerate(others, 1) if other.tobytes() != first.tobytes()}
        return State(self._position, values, arrays)

    def _assign(self, variables: dict[str, tuple[tf.Variable, ...]]) -> None:
        arrays = self._found.arrays if self._found else {}
        for name, copies in variables.items():
            for replica, copy in enumerate(copies, self._workers.number * len(copies)):
                copy.assign(arrays.get(f"{name}/{replica}", arrays[f"{name}/0"]))

    def _trained(self) -> dict[str, tuple[tf.Variable, ...]]:
        """Weights, what else layers keep, the states of their random generators, the optimizer's and the step's own: copies by name."""
        groups = {"model": self.model.variables, "optimizer": self.model.optimizer.variables, "step": self._own}
        return {name: copy for group, of in groups.items() for name, copy in _copies(self.model, group, of).items()}

    def _best(self) -> list[keras.callbacks.ModelCheckpoint]:
        return [callback for callback in self._others if isinstance(callback, keras.callbacks.ModelCheckpoint)]


def _kept(callback: keras.callbacks.Callback) -> tuple[str, ...]:
    return next((names for kind, names in _STATE.items() if isinstance(callback, kind)), ())


def _measured(model: keras.Model) -> dict[str, tuple[tf.Variable, ...]]:
    """What the metrics have counted, of which each replica has a part."""
    return _copies(model, "metrics", model.metrics_variables)


def _copies(model: keras.Model, group: str, variables: Iterable[keras.Variable]) -> dict[str, tuple[tf.Variable, ...]]:
    local: Callable[[tf.Variable], tuple[tf.Variable, ...]] = model.distribute_strategy.experimental_local_results
    return {f"{group}/{number}": local(variable.value) for number, variable in enumerate(variables)}
