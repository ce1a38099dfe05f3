"""A loss and metrics of the user's own: functions or classes of Keras's kinds -> objects that both loops take like any of Keras's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainer import user_code
from trainer.errors import ConfigError
from trainer.lazy import keras, tf
from trainer.reference import is_reference, parts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trainer.config import TrainerConfig


def own_loss(config: TrainerConfig) -> keras.losses.Loss | None:
    """The loss that `config.loss` refers to: None where it is one of the project's own.

    Raises:
      ConfigError: it is neither a function nor a Keras loss, or one that takes probabilities. TrainingError: the code fails.
    """
    if not is_reference(config.loss):
        return None
    given = user_code.load(config.code, config.loss)
    with user_code.told(config.loss):
        loss = given() if isinstance(given, type) and issubclass(given, keras.losses.Loss) else given
    if isinstance(loss, keras.losses.Loss):
        if loss.get_config().get("from_logits") is False:
            raise ConfigError(
                f"Expected `trainer.loss: {config.loss}` to take logits. Received: from_logits=False. Make it with from_logits=True."
            )
        return loss
    _check_function(loss, "loss", config.loss, "keras.losses.Loss")
    from trainer.tasks.row_loss import RowLoss  # it imports Keras

    return RowLoss(aligned(loss), name=parts(config.loss)[1])


def names_of(metrics: Iterable[str]) -> list[str]:
    """What metrics are called where they are shown, of their names in a config."""
    return [parts(name)[1] if is_reference(name) else name for name in metrics]


def own_metric(config: TrainerConfig, name: str) -> keras.metrics.Metric | None:
    """The metric that `name` refers to, called after the function or class: None where it is one of the project's own.

    Raises:
      ConfigError: it is neither a function nor a Keras metric, or its name is taken. TrainingError: the code fails.
    """
    if not is_reference(name):
        return None
    [called] = names_of([name])
    taken = names_of(config.metrics or [])
    if called == "loss" or taken.count(called) > 1:
        raise ConfigError(f"Expected metrics of different names, other than 'loss', in `trainer.metrics`. Received: {called!r}. Rename it.")
    given = user_code.load(config.code, name)
    with user_code.told(name):
        metric = given() if isinstance(given, type) and issubclass(given, keras.metrics.Metric) else given
    if isinstance(metric, keras.metrics.Metric):
        metric.name = called
        return metric
    _check_function(metric, "metrics", name, "keras.metrics.Metric")
    return keras.metrics.MeanMetricWrapper(aligned(metric), name=called)


def aligned(function: Any) -> Any:
    """`function` of labels and logits, given logits (batch,) where labels are (batch,) and there is one logit.

    Otherwise a difference of them would be (batch, batch), whose mean is another number, without a word.
    """

    def call(y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        one = y_pred.shape.rank == y_true.shape.rank + 1 and y_pred.shape[-1] == 1
        return function(y_true, tf.squeeze(y_pred, -1) if one else y_pred)

    return call


def check_loss(config: TrainerConfig, loss: keras.losses.Loss, y: tf.TensorSpec, logits: tf.TensorSpec) -> None:
    """Raises ConfigError where the user's loss does not give a number a row; TrainingError where it fails."""
    if not is_reference(config.loss):
        return
    with user_code.told(config.loss):
        given = tf.function(loss.call, autograph=False).get_concrete_function(y, logits).outputs[0].shape
    if given.rank != 1:
        raise ConfigError(
            f"Expected `trainer.loss: {config.loss}` to give a number for each row, (batch,). Received: {given}, of labels {y.shape} and "
            f"logits {logits.shape}. Take the mean over the last axis alone."
        )


def check_metrics(config: TrainerConfig, metrics: list[Any], y: tf.TensorSpec, logits: tf.TensorSpec) -> None:
    """Raises TrainingError where a metric of the user's own fails with such labels and logits."""
    for name in config.metrics or []:
        if is_reference(name):
            [metric] = [metric for metric in metrics if getattr(metric, "name", metric) == parts(name)[1]]
            with user_code.told(name):
                tf.function(lambda y, p, metric=metric: metric(y, p), autograph=False).get_concrete_function(y, logits)


def _check_function(given: Any, key: str, reference: str, kind: str) -> None:
    if not callable(given):
        raise ConfigError(
            f"Expected a function (y_true, y_pred) or a {kind} for `trainer.{key}: {reference}`. Received: {type(given).__name__}."
        )
