"""The search over settings of the training: what TFX's Tuner asks of a `tuner_fn`, with KerasTuner's ways to choose.

the rows, read once -> the oracle says values -> the recipe of `trainer.run` by the config's loop -> the eval split's metric -> again

A search that was ended goes on: the trials that have ended are kept, and the one under way goes on from its checkpoint.
"""

import contextlib
import importlib
import json
import logging
import os
import time
from typing import Any

import keras
import keras_tuner
import tensorflow as tf
from keras_tuner import errors
from keras_tuner.engine.base_tuner import BaseTuner
from tfx.components.tuner.component import TunerFnResult

from trainer import checkpoints, watched
from trainer.callbacks import PROGRESS_VARIABLE
from trainer.config import TrainerConfig
from trainer.errors import TrainingError
from trainer.run import Material, Train, read_material, trained
from trainer.search import Range, TunerConfig, merged, value_of

_SYSTEM = "/.system/"  # in the path of an execution's working folder, below that of all executions of the component
_log = logging.getLogger(__name__)


def tuner_fn(fn_args: Any) -> TunerFnResult:
    """What TFX's Tuner calls, named as `trainer.tuner.tuner_fn`.

    Args:
      fn_args: as of `trainer.run.run`; `custom_config["tuner"]` is TunerConfig as JSON.
    """
    material = read_material(fn_args)
    config = TunerConfig.from_json(fn_args.custom_config["tuner"])
    loop = importlib.import_module(f"trainer.{material.config.loop}")
    folder = f"{fn_args.working_dir.partition(_SYSTEM)[0].rstrip('/')}/searches"
    return TunerFnResult(Search(config, material, loop.train, folder, _name(fn_args, config, material)), {"verbose": 0})


def _name(fn_args: Any, config: TunerConfig, material: Material) -> str:
    """Of this very search: other settings, data or code have another; more trials go on."""
    parts = (
        config.model_copy(update={"trials": None}).to_json(),
        material.config.model_copy(update={"checkpoints": None}).to_json(),
        material.problem.to_json(),
        str(fn_args.custom_config.get("code")),
        *([str(fn_args.base_model)] if material.config.step.HAS_TEACHER else []),
        *([material.start.digest] if material.start else []),
        str(material.strategy.num_replicas_in_sync),
    )
    files = [file for split in (material.train_split, material.eval_split) for file in split.files]
    return f"search-{checkpoints.fingerprint(files, *parts)}"


class Search(BaseTuner):
    """Trains a model a trial. KerasTuner keeps what it has found below the folder."""

    def __init__(self, config: TunerConfig, material: Material, train: Train, folder: str, name: str) -> None:
        """See `tuner_fn`; `name` is that of the search's own folder in `folder`."""
        self._material, self._train = material, train
        self._metric = f"val_{config.metric}"
        self._searched = list(config.search)
        self._oracle = _oracle(config, material.config)
        self._total = config.most_trials or _hyperband_trials(self._oracle)
        self._seconds: list[float] = []
        self._began = 0.0
        self._progress = os.environ.get(PROGRESS_VARIABLE)
        super().__init__(self._oracle, directory=folder, project_name=name)

    def on_trial_begin(self, trial: Any) -> None:
        """Starts its clock."""
        self._began = time.monotonic()
        self._tell(trial, done=len(self.oracle.end_order))

    def on_trial_end(self, trial: Any) -> None:
        """Says how many are left, and for how long."""
        super().on_trial_end(trial)
        self._seconds.append(time.monotonic() - self._began)
        done, tried = len(self.oracle.end_order), trial.hyperparameters.values
        _log.info("Trial %d of %d: %s %s, %s.", done, self._total, self._metric, trial.score, tried)
        self._tell(trial, done)

    def on_search_end(self) -> None:
        """Nothing goes on from the trials' states any more.

        Raises:
          TrainingError: no trial has a score, where KerasTuner would give the values of one that failed for the best.
        """
        trials = self.oracle.trials.values()
        self.oracle.max_trials = self.oracle.max_trials or len(trials)  # TFX writes so many, and `hyperband` has had no number
        if all(trial.score is None for trial in trials):
            raise TrainingError(
                f"Expected a trial whose `{self._metric}` is a number. Received: {len(trials)} that failed. "
                f"Search others: {', '.join(f'`{key}`' for key in self._searched)}, the learning rate smaller, above all."
            )
        for file in tf.io.gfile.glob(f"{self.project_dir}/trial_*/state.npz"):
            checkpoints.remove(file)

    def run_trial(self, trial: Any, **_: Any) -> dict[str, float]:
        """The metric of the epoch whose weights would be exported.

        Raises:
          FailedTrialError: the loss became no number; other values are tried. FatalError: anything else, which ends the search.
        """
        try:
            return {self._metric: self._trained(trial)}
        except TrainingError as error:
            raise errors.FailedTrialError(str(error)) from error
        except Exception as error:  # KerasTuner would go on and try the same with other values
            raise errors.FatalError(str(error)) from error

    def _trained(self, trial: Any) -> float:
        values = trial.hyperparameters.values
        config = merged(self._material.config, values)
        folder = self.get_trial_dir(trial.trial_id)
        budget = values.get("tuner/epochs")  # of hyperband
        before = values.get("tuner/trial_id")
        file = f"{self.get_trial_dir(before) if before else folder}/state.npz"  # the same values, trained less long
        limit = [EpochLimit(budget)] if budget and budget < config.epochs else []
        if budget and config.checkpoints:  # that the next round goes on from
            config = config.model_copy(update={"checkpoints": config.checkpoints.model_copy(update={"epochs": 1})})
        material = self._material._replace(config=config)
        _, history = trained(material, folder, file, self._train, limit, progress=None)
        for weights in tf.io.gfile.glob(f"{folder}/*.weights.h5"):
            tf.io.gfile.remove(weights)
        if not budget:
            checkpoints.remove(file)
        return _score(history.history, config, self._metric)

    def _tell(self, trial: Any, done: int) -> None:
        best = [each.score for each in self.oracle.get_best_trials(1) if each.score is not None]
        left = sum(self._seconds) / len(self._seconds) * max(self._total - done, 0) if self._seconds else None
        line = {"trial": int(trial.trial_id) + 1, "trials": self._total, "done": done, "metric": self._metric}
        line |= {"best": best[0] if best else None, "seconds_left": left}
        if self._progress:
            with contextlib.suppress(OSError), open(self._progress, "a", encoding="utf-8") as file:  # noqa: PTH123 - as the epochs'
                file.write(json.dumps(line) + "\n")


class EpochLimit(keras.callbacks.Callback):
    """Ends the training after so many epochs, before those that its schedule goes over."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self._limit = epochs

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at the number."""
        if epoch + 1 >= self._limit:
            self.model.stop_training = True


def _score(history: dict[str, list[float]], config: TrainerConfig, metric: str) -> float:
    values = history[f"val_{config.best_by}"]
    best = min if watched.mode(config, config.best_by) == "min" else max
    return history[metric][values.index(best(values)) if config.weights == "best" else -1]


def _oracle(config: TunerConfig, trainer: TrainerConfig) -> keras_tuner.Oracle:
    space = keras_tuner.HyperParameters()
    for key, values in config.search.items():
        if not isinstance(values, Range):
            space.Choice(key, list(values))
        elif isinstance(value_of(merged(trainer, {key: values.min}), key), int):
            space.Int(key, values.min, values.max, sampling=values.scale)
        else:
            space.Float(key, float(values.min), float(values.max), sampling=values.scale)
    common = {
        "objective": keras_tuner.Objective(f"val_{config.metric}", watched.mode(trainer, config.metric)),
        "hyperparameters": space,
        "seed": trainer.seed + 1,  # KerasTuner takes 0 for none
        "max_consecutive_failed_trials": 10,
    }
    if config.algorithm == "hyperband":
        return keras_tuner.oracles.HyperbandOracle(max_epochs=trainer.epochs, **common)
    kind = {"random": keras_tuner.oracles.RandomSearchOracle, "bayesian": keras_tuner.oracles.BayesianOptimizationOracle}[config.algorithm]
    return kind(max_trials=config.most_trials, **common)


def _hyperband_trials(oracle: Any) -> int:
    """How many trials the oracle will have, for the time that is left; it has no public name."""
    brackets = range(oracle._get_num_brackets())
    return sum(oracle._get_size(bracket, number) for bracket in brackets for number in range(oracle._get_num_rounds(bracket)))
