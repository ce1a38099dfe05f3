"""The model that another one learns from (`trainer.step: distill`): a SavedModel that answers transformed features.

the same task, classes and Transform? -> a function of a batch's inputs
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from trainer.cause import one_line
from trainer.errors import ConfigError
from trainer.export import TRANSFORM, exported_problem
from trainer.features import names
from trainer.tasks import Regression, Task
from trainer.transform_digest import transform_digest

Inputs = tf.Tensor | dict[str, tf.Tensor]

_NEXT = "Train one on this data with `trainer.step: standard`, and let it be pushed or name it in `{kind: distill, teacher: FOLDER}`."
_SHOWN = 5  # classes in an error


def load(folder: str, task: Task, graph: tft.TFTransformOutput) -> Callable[[Inputs], tf.Tensor]:
    """What gives the teacher's `task.activated` outputs, float32 (batch, outputs), of the inputs of a batch.

    Args:
      folder: of the SavedModel.
      task: what is learnt, with its classes.
      graph: Transform's output for the data that is trained on.

    Raises:
      ConfigError: it is no such model, or one of another task, other classes or features that were transformed otherwise.
    """
    learnt = exported_problem(folder)
    expected, received = _words(task), _words(learnt.task) if learnt else "a model that does not say what it has learnt"
    if learnt is None or received != expected or learnt.task.names != task.names:
        raise ConfigError(f"Expected a teacher of {expected}. Received: {received}{_order(received, expected)}. {_NEXT}")
    if _read(f"{folder}/{TRANSFORM}") != transform_digest(graph.transform_savedmodel_dir):
        raise ConfigError(
            "Expected a teacher whose features were transformed as those of this run. Received: one of other data, features or "
            f"preprocessing. {_NEXT}"
        )
    try:
        loaded = tf.saved_model.load(folder)
        predict = loaded.predict_transformed
    except (OSError, ValueError, AttributeError, tf.errors.OpError) as error:
        raise ConfigError(f"Expected a teacher that can be loaded. Received: {one_line(error)}. {_NEXT}") from None
    scale, shift = 1.0, 0.0
    if isinstance(task, Regression) and isinstance(learnt.task, Regression):  # each has its own standard deviations
        scale, shift = learnt.task.deviation / task.deviation, (learnt.task.mean - task.mean) / task.deviation
    inputs = list(names.model_inputs(graph.transformed_feature_spec()))

    def answers(x: Inputs, _whole: Any = loaded) -> tf.Tensor:  # of which the function itself would keep no variables
        return tf.cast(predict(x if isinstance(x, dict) else {inputs[0]: x}), tf.float32) * scale + shift

    return answers


def _words(task: Task) -> str:
    if isinstance(task, Regression):
        return "a number"
    listed = ", ".join(map(repr, (task.names or ())[:_SHOWN])) + (" ..." if task.outputs > _SHOWN else "")
    return f"`{task.kind}` with {f'the classes {listed}' if task.names else f'{task.outputs:,} classes'}"


def _order(received: str, expected: str) -> str:
    return ", others behind them" if received == expected else ""


def _read(file: str) -> str:
    if not tf.io.gfile.exists(file):
        return ""
    with tf.io.gfile.GFile(file) as stream:
        return stream.read()
