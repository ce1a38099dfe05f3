"""What a config's model looks like: its layers, their shapes and sizes, before or after it is trained.

config + what Transform gave in the last run (of pictures in numbered classes the config says it) -> the untrained model -> text
"""

import json
import os
import tempfile
from pathlib import Path

import keras
import tensorflow as tf
import tensorflow_transform as tft

from components import backbone
from pipeline import steps
from pipeline.config import PipelineConfig
from pipeline.plain import command
from pipeline.workspace import Workspace
from trainer import json_text
from trainer.config import TrainerConfig
from trainer.errors import ConfigError
from trainer.features import names, table_sizes
from trainer.features.image import ImageFeature
from trainer.models import make_model
from trainer.tasks import Task

_WIDTHS = (80, 100, 120, 140, 160)  # columns
_CUT = "…"  # behind what Keras has cut short


def model_of(config: PipelineConfig, workspace: Workspace, file: str) -> keras.Model:
    """The model that a run would train, with its first weights.

    Args:
      config: the whole configuration.
      workspace: where the last run was; what Transform gave there decides the inputs, and how many classes there are.
      file: the config's, for people.

    Raises:
      ConfigError: there was no such run and the config alone does not say it, or the model is not for such inputs.
    """
    with tempfile.TemporaryDirectory() as unpacked:
        return _made(config, backbone.found(config.trainer, Path(unpacked)), workspace, file)


def _made(config: PipelineConfig, trainer: TrainerConfig, workspace: Workspace, file: str) -> keras.Model:
    place = _transform_graph(config, workspace)
    if place:
        graph = tft.TFTransformOutput(place)
        inputs = names.model_inputs(graph.transformed_feature_spec())
        return make_model(trainer, config.problem.task.resolved(graph), inputs, table_sizes(graph))
    found = _known_by_config(config)
    if found is None:
        raise ConfigError(
            f"Expected a run of these features in '{workspace.root}', for Transform decides the model's inputs. Received: none. "
            f"Run `{command('run', file)}` first, or name its --root."
        )
    task, inputs = found
    return make_model(trainer, task, inputs)


def summary(model: keras.Model, most: int = _WIDTHS[-1]) -> str:
    """Keras's table of the layers, with how many parameters there are and how much memory they take.

    It is as wide as whole names take, but no wider than `most` columns.
    """
    text = ""
    for width in _WIDTHS:
        if not text or (_CUT in text and width <= most):
            text = _table(model, width)
    return text


def _table(model: keras.Model, width: int) -> str:
    lines: list[str] = []
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(width)  # where Rich, by which Keras prints, cuts all lines
    try:
        model.summary(line_length=width, print_fn=lambda text, **_: lines.append(text))
    finally:
        os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)
    return "\n".join(lines).rstrip()


def _transform_graph(config: PipelineConfig, workspace: Workspace) -> str | None:
    """The folder of the newest run's transform graph that is of the very features of `config`, None where there is none."""
    features = json.loads(config.inputs.to_json())
    for file in sorted(workspace.records.glob("*.json"), reverse=True):
        try:
            record = json_text.loads(file.read_text(encoding="utf-8"))
            place = workspace.place(record["artifacts"][steps.TRANSFORM.id]["transform_graph"])
            ran = PipelineConfig.model_validate_json(json.dumps(record["config"]))
        except (OSError, ValueError, KeyError, TypeError):  # a run that ended before, or another version's record
            continue
        if json.loads(ran.inputs.to_json()) == features and ran.label == config.label and tf.io.gfile.isdir(place):
            return place
    return None


def _known_by_config(config: PipelineConfig) -> tuple[Task, dict[str, tf.io.FixedLenFeature]] | None:
    """The task and the inputs of one picture in numbered classes."""
    image = next(iter(config.inputs.by_name.values()))
    if config.has_columns or not isinstance(image, ImageFeature):
        return None
    return config.problem.task, {names.PIXELS: tf.io.FixedLenFeature((*image.size, image.channels), tf.float32)}
