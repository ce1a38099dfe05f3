"""The recipe that both loops share; a loop is a function with the signature `Train`, and a third loop is one new file.

transform graph and rows -> Material -> the state of an interrupted training, batches, model under the strategy's scope -> train
    -> best weights, if wanted -> has it learnt? -> the task's decision -> wrong answers to look at, if wanted
    -> SavedModel, which must answer raw rows as the model does

Of several workers each reads its own shard of the rows. The chief alone does what comes behind the training, of all rows; the others keep
nothing.

A search over settings reads the material once, and trains many models of it.
"""

import contextlib
import os
import tempfile
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import keras
import numpy as np
import pydantic
import tensorflow as tf
import tensorflow_transform as tft

from trainer import checkpoints, constant_prediction, start, teacher, watched, wrong_pictures, xla
from trainer.callbacks import PROGRESS_VARIABLE, make_callbacks, restore_best_weights
from trainer.config import TrainerConfig
from trainer.errors import ConfigError, TrainingError
from trainer.export import converted, export
from trainer.export.rows import RAW_FILES, raw_rows
from trainer.export_config import ExportConfig
from trainer.features import names, table_sizes
from trainer.input_pipeline import START, Batches, Position, Split, eval_batches, read_split, row_weights_of, targets_spec, train_batches
from trainer.models import build_model, model_name
from trainer.problem import Problem
from trainer.search import merged
from trainer.settings import Settings
from trainer.shards import Shard
from trainer.start import Start
from trainer.steps import Step
from trainer.strategy import make_strategy
from trainer.tasks import Task, row_weights
from trainer.tasks.own import check_loss, check_metrics
from trainer.tasks.predicted import predicted
from trainer.tensorboard_config import TensorBoardConfig
from trainer.termination import Termination
from trainer.workers import Workers

Section = TypeVar("Section", bound=Settings)
_OF_NO_WEIGHTS = {
    "checkpoints": None,
    "must_learn": True,
    "tensorboard": TensorBoardConfig(),
    "workers_minutes": 10.0,
}  # settings, at any one value

_COMPARED = 256  # raw rows that the trained model and the exported one both answer


class Train(Protocol):
    """A loop: trains the compiled model in place up to at most `config.epochs`, driving the callbacks as Keras does.

    Where `train_batches` begin in the midst of a training, the loop does; the callbacks bring back what was before.
    """

    def __call__(
        self,
        model: keras.Model,
        train_batches: Batches,
        eval_batches: Batches,
        strategy: tf.distribute.Strategy,
        config: TrainerConfig,
        callbacks: list[keras.callbacks.Callback],
    ) -> keras.callbacks.History:
        """Returns the history: for each epoch the loss and the metrics, those of the eval split with the prefix `val_`."""


class Material(NamedTuple):
    """What a training is made of, before there is a model.

    Attributes:
      config: the settings.
      problem: what is learnt; its task knows the classes and what the train split's labels are like.
      graph: Transform's output.
      train_split: its rows, of several workers this one's.
      eval_split: the same.
      strategy: the devices.
      base_model: the folder of the teacher, where there is one.
      start: the weights to start from, where there are some.
    """

    config: TrainerConfig
    problem: Problem
    graph: tft.TFTransformOutput
    train_split: Split
    eval_split: Split
    strategy: tf.distribute.Strategy
    base_model: str | None
    start: Start | None = None


class Prepared(NamedTuple):
    """What a loop is called with.

    Attributes:
      config: the settings, with the model by its own name and a step that can run.
      model: compiled.
      train_data: the train split from where the training begins.
      eval_data: the eval split.
    """

    config: TrainerConfig
    model: keras.Model
    train_data: Batches
    eval_data: Batches


def run(fn_args: Any, train: Train) -> keras.callbacks.History:
    """Trains by the loop `train` and exports: what TFX's Trainer asks of a `run_fn`.

    Args:
      fn_args: TFX's `FnArgs`; `custom_config["trainer"]` is TrainerConfig as JSON, `custom_config["problem"]` Problem, and
        `custom_config["export"]`, which may be left out, ExportConfig. `hyperparameters`, where a search has found some, take the
        place of the config's.
      train: the loop.

    Raises:
      ConfigError: the settings are wrong. DataError: the examples are. TrainingError: the loss or a weight became NaN, the model has
        learnt nothing, or the exported model answers otherwise than the trained one.
    """
    exported = _section({"export": "{}"} | (fn_args.custom_config or {}), "export", ExportConfig)
    converted.check(exported)
    material = read_material(fn_args, several=True)
    file = _checkpoint_file(fn_args, material)
    if not Workers(material.strategy).is_chief:
        with tempfile.TemporaryDirectory() as folder:
            return trained(material, folder, file, train)[1]
    prepared, history = trained(material, fn_args.model_run_dir, file, train, progress=os.environ.get(PROGRESS_VARIABLE))
    model, config, task = prepared.model, prepared.config, material.problem.task
    eval_data = prepared.eval_data if material.eval_split.is_whole else eval_batches(material.eval_split.whole(), config, task)
    if config.weights == "best":
        restore_best_weights(model, fn_args.model_run_dir)
    labels = material.train_split.labels
    if config.must_learn and (
        fault := constant_prediction.fault(model, task, config, labels, eval_data, row_weights_of(material.train_split))
    ):
        raise TrainingError(fault)
    task = task.tuned(lambda: _evaluated(model, task, eval_data))
    if most := config.tensorboard.wrong_pictures:
        wrong_pictures.write(model, task, eval_data, most, f"{fn_args.model_run_dir}/wrong")
    problem = material.problem.model_copy(update={"task": task})
    raw = (fn_args.custom_config or {}).get(RAW_FILES, {})
    served = export(
        model,
        material.graph,
        problem,
        fn_args.serving_model_dir,
        is_distilled=config.step.HAS_TEACHER,
        rows=raw_rows(raw.get("eval"), _COMPARED),
        warmup_rows=exported.warmup,
    )
    if exported.converts:
        converted.convert(served, model, material.graph, problem, exported, raw, fn_args.serving_model_dir.rpartition("/")[0])
    checkpoints.remove(file)
    return history


def read_material(fn_args: Any, *, several: bool = False) -> Material:
    """What `fn_args` say, with both splits read. Arguments and errors are those of `run`.

    `several` is whether several workers may do it.
    """
    config, problem = (_section(fn_args.custom_config, key, kind) for key, kind in (("trainer", TrainerConfig), ("problem", Problem)))
    if fn_args.hyperparameters:
        config = merged(config, fn_args.hyperparameters["values"])
    if fault := watched.fault(config, problem.task.metric_names(config)):
        raise ConfigError(fault)
    if config.strategy == "multi_worker" and not several:
        raise ConfigError(
            "Expected a strategy of one machine to search for settings. Received: `trainer.strategy: multi_worker`. "
            "Search with `--set trainer.strategy=auto`, and train with what was found."
        )
    strategy = make_strategy(config.strategy, config.workers_minutes)  # before anything that uses TensorFlow
    graph = tft.TFTransformOutput(fn_args.transform_graph_path)
    spec = graph.transformed_feature_spec()
    task = problem.task.resolved(graph)
    if fault := config.step.fault(task, config.loss):
        raise ConfigError(fault)
    workers = Workers(strategy)
    shard = Shard(workers.number, workers.count)
    train_split, eval_split = (
        read_split(files, spec, config, task.parsed_label, shard, task.is_known) for files in (fn_args.train_files, fn_args.eval_files)
    )
    problem = problem.model_copy(update={"task": task.fitted(train_split.labels)})
    if start.KEY in fn_args.custom_config:
        begin = _section(fn_args.custom_config, start.KEY, Start)
    else:
        begin = start.handed_on(fn_args.base_model) if start.is_handed_on(config) and fn_args.base_model else None
    return Material(config, problem, graph, train_split, eval_split, strategy, fn_args.base_model, begin)


def prepare(material: Material, begin: Position = START) -> Prepared:
    """Batches from `begin` on and a new model, compiled under the strategy's scope. Raises ConfigError."""
    config, task, strategy = material.config, material.problem.task, material.strategy
    train_data = train_batches(material.train_split, config, task, begin)
    eval_data = eval_batches(material.eval_split, config, task)
    _check_shares(config, strategy, train_data, eval_data)
    with strategy.scope():
        spec = material.graph.transformed_feature_spec()
        inputs = names.model_inputs(spec)
        xla.check(config, strategy.num_replicas_in_sync, inputs)
        config = config.model_copy(update={"model": model_name(config, task, inputs)})
        targets = targets_spec(material.train_split, config, task)
        weighted = targets if names.WEIGHT in spec else None
        model = build_model(config, task, inputs, table_sizes(material.graph), config.epochs * train_data.steps, weighted)
        start.load(model, material.start, config)
    xla.check_model(config, model)
    step = _prepared(config.step, task, material.graph, material.base_model)
    with strategy.scope():
        step = step.with_models(train_data.dataset.element_spec[0], config.seed, train_data.steps)
    config = config.model_copy(update={"step": step})
    _check_own(model, config, task, targets)
    return Prepared(config, model, train_data, eval_data)


def trained(
    material: Material,
    model_run_dir: str,
    file: str,
    train: Train,
    more: Sequence[keras.callbacks.Callback] = (),
    progress: str | None = None,
) -> tuple[Prepared, keras.callbacks.History]:
    """Trains a new model, or goes on with the one whose state lies in `file`, with the weights of the last epoch in the end.

    Args:
      material: what to train on, and how.
      model_run_dir: where the best weights and the logs go.
      file: where the training's state is kept; it is not removed.
      train: the loop.
      more: callbacks behind the one that keeps the state, which knows nothing of them.
      progress: the file that gets a line an epoch, if there is one.
    """
    every = material.config.checkpoints
    workers = Workers(material.strategy)
    found = checkpoints.read(file) if every else None
    next_step = "Start all workers again: the training goes on from its checkpoint." if every else "Start all workers again."
    with workers.told(next_step), Termination() if every else contextlib.nullcontext() as termination:
        _check_alike(workers, file, found)
        prepared = prepare(material, found.position if found else START)
        config, data = prepared.config, prepared.train_data
        callbacks = [
            *make_callbacks(config, model_run_dir, data.examples, file if every else None, progress),
            *config.step.callbacks(model_run_dir),
        ]
        if every and termination:
            own = config.step.variables
            state = checkpoints.Checkpoint(file, every, config.epochs, data.steps, callbacks[:], found, termination, own, workers)
            callbacks.append(state)
        with xla.told(config):
            history = train(prepared.model, data, prepared.eval_data, material.strategy, config, [*callbacks, *more])
    return prepared, history


def _check_alike(workers: Workers, file: str, found: checkpoints.State | None) -> None:
    """Raises ConfigError where workers would train otherwise than the chief, or go on from elsewhere."""
    if others := workers.differing(file.rpartition("/")[2]):
        raise ConfigError(
            "Expected the same settings, code, packages and transformed examples on all workers. "
            f"Received others on {' and '.join(others)}. Start all of them with the same configuration and data."
        )
    if others := workers.differing(found.digest() if found else "none"):
        raise ConfigError(
            f"Expected every worker to find the checkpoint that the chief finds, {file}. Received: another one, or none, on "
            f"{' and '.join(others)}. Put the outputs into a folder that all workers share, or remove the checkpoint."
        )


def _checkpoint_file(fn_args: Any, material: Material) -> str:
    """Of this very training: other settings, data, code or devices have another file."""
    config, splits = material.config, (material.train_split, material.eval_split)
    parts = (
        config.model_copy(update=_OF_NO_WEIGHTS).to_json(),
        material.problem.task.to_json(),
        str(fn_args.custom_config.get("code")),
        *([str(fn_args.base_model)] if config.step.HAS_TEACHER else []),  # another teacher is a copy in another folder
        *([material.start.digest] if material.start else []),
        str(material.strategy.num_replicas_in_sync),
        *([f"{splits[0].shard.count} workers"] if not splits[0].is_whole else []),  # as many replicas of fewer workers have other batches
        *(f"{split.spec} {split.rows is None}" for split in splits),  # rows that are not kept come in another order
        *(tf.__version__, keras.__version__),
    )
    return checkpoints.file_for(fn_args.model_run_dir, checkpoints.fingerprint([file for split in splits for file in split.files], *parts))


def _prepared(step: Step, task: Task, graph: tft.TFTransformOutput, base_model: str | None) -> Step:
    """The step with what it needs beside a batch."""
    step = step.for_task(task)
    return step.taught_by(teacher.load(base_model, task, graph)) if step.HAS_TEACHER and base_model else step


def _check_own(model: keras.Model, config: TrainerConfig, task: Task, y: tf.TensorSpec) -> None:
    """Raises ConfigError or TrainingError where a loss or a metric of the user's own cannot be taken of such labels."""
    logits = tf.TensorSpec((None, task.outputs), tf.float32)
    check_loss(config, task.loss(config), tf.TensorSpec(y.shape, tf.float32), logits)  # Keras makes all labels floats for a loss
    check_metrics(config, task.metrics(config), y, logits)


def _evaluated(model: keras.Model, task: Task, split: Batches) -> tuple[np.ndarray, np.ndarray]:
    """What the task serves of each row, (rows, ...), and what the loss is given of its label."""
    parts = [(predicted(task, model(x, training=False)), row_weights.targets_in(model.loss, y)) for x, y in split.dataset]
    return tuple(tf.concat(part, 0).numpy() for part in zip(*parts, strict=True))


def _check_shares(config: TrainerConfig, strategy: tf.distribute.Strategy, *splits: Batches) -> None:
    """Replicas share each full batch evenly, and there is one: Keras takes the shapes from the first batch."""
    replicas = strategy.num_replicas_in_sync
    if config.batch_size % replicas:
        near = -(-config.batch_size // replicas) * replicas
        raise ConfigError(
            f"Expected `trainer.batch_size` to be a multiple of {replicas}, the number of replicas. "
            f"Received: {config.batch_size}. Try {near}."
        )
    if replicas > 1 and config.accumulate > 1:
        raise ConfigError(
            f"Expected `trainer.accumulate: 1` on {replicas} replicas, because Keras cannot accumulate gradients there. "
            f"Received: {config.accumulate}. Set `trainer.batch_size: {config.batch_size * config.accumulate}`, "
            "or `trainer.strategy: one_device`."
        )
    fewest = min(split.examples for split in splits)
    if (replicas > 1 or config.strategy == "tpu") and fewest < config.batch_size:
        raise ConfigError(
            f"Expected at least `trainer.batch_size` ({config.batch_size}) examples in the train and eval splits, for {replicas} replicas "
            f"share a batch. Received {fewest}. Try a smaller `trainer.batch_size` or `trainer.strategy: one_device`."
        )


def _section(custom_config: dict[str, Any] | None, key: str, kind: type[Section]) -> Section:
    try:
        return kind.from_json((custom_config or {})[key])
    except KeyError:
        raise ConfigError(
            f"Expected Trainer's `custom_config` to have the key '{key}': a {kind.__name__} as JSON. Received none."
        ) from None
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        place = ".".join([key, *map(str, first["loc"])])
        raise ConfigError(f"`{place}`: {first['msg']}. Received: {first['input']!r}.") from error
