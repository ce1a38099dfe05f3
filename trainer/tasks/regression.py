"""A number: the model learns standard deviations from the train split's mean, and answers in the label's own units."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field

from trainer.errors import DataError
from trainer.features.kind import RawType, one_a_row
from trainer.lazy import keras, tf, tft
from trainer.reference import is_reference
from trainer.settings import FOUND, Settings
from trainer.tasks.own import names_of, own_loss, own_metric

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    from trainer.config import TrainerConfig

_PERCENTILES = range(5, 100, 5)  # of the labels, one of which is about the best answer by any loss


class Regression(Settings):
    """Labels are numbers."""

    PREDICTIONS: ClassVar[str] = "values"
    ACTIVATION: ClassVar[str] = "linear"
    LOSSES: ClassVar[Mapping[str, str]] = {  # Keras's class by the name in a config
        "auto": "MeanSquaredError",
        "mean_squared_error": "MeanSquaredError",
        "mean_absolute_error": "MeanAbsoluteError",
        "huber": "Huber",
    }
    METRICS: ClassVar[tuple[str, ...]] = ("mae",)  # that a config can name

    kind: Literal["regression"] = Field("regression", description="A number.")
    mean: float = Field(0.0, description="Of the train split's labels, once it is known.", json_schema_extra=FOUND)
    deviation: float = Field(
        1.0, gt=0.0, description="The standard deviation of the train split's labels, once it is known.", json_schema_extra=FOUND
    )

    outputs: ClassVar[int] = 1
    names: ClassVar[None] = None
    raw_type: ClassVar[RawType] = "float"

    def transform_label(self, raw: tf.Tensor | tf.SparseTensor) -> tf.Tensor:
        """float32 (batch,), the label as it is; NaN where a row has none."""
        return tf.cast(one_a_row(raw, float("nan")), tf.float32)

    def resolved(self, graph: tft.TFTransformOutput) -> Self:
        """See `Multiclass.resolved`."""
        del graph
        return self

    def fitted(self, labels: tf.Tensor) -> Self:
        """The task with the mean and the deviation of the train split.

        Raises:
          DataError: all labels are the same.
        """
        known = tf.cast(tf.boolean_mask(labels, self.is_known(labels)), tf.float64)
        mean, deviation = float(tf.reduce_mean(known)), float(tf.math.reduce_std(known))
        if not deviation > 0:
            raise DataError(
                f"Expected labels that differ in the train split. Received: {mean:g} in all of {int(tf.size(known)):,} rows. "
                "Give another `label`."
            )
        return self.model_copy(update={"mean": mean, "deviation": deviation})

    def constant_logits(self, labels: tf.Tensor) -> tf.Tensor:
        """See `Multiclass.constant_logits`: the mean and quantiles, of which the median is one, standardised."""
        import numpy as np  # not above: a config is read without it

        numbers = np.asarray(labels, np.float64)
        found = [numbers.mean(), *np.quantile(numbers, [percent / 100 for percent in _PERCENTILES])]
        return tf.constant([[(number - self.mean) / self.deviation] for number in found], tf.float32)

    def parsed_label(self, parsed: tf.Tensor) -> tf.Tensor:
        """float32 (batch,), as it is."""
        return parsed

    def tuned(self, evaluate: Callable[[], tuple[np.ndarray, np.ndarray]]) -> Self:
        """See `Multiclass.tuned`."""
        del evaluate
        return self

    def check_labels(self, labels: Sequence[tf.Tensor], origin: str) -> None:
        """Every finite number is a label."""

    def is_known(self, labels: tf.Tensor) -> tf.Tensor:
        """Bool (batch,): of which transformed labels a loss can be taken."""
        return tf.math.is_finite(labels)

    def label_anomalies(self, seen: Mapping[str, tuple[float, float]]) -> dict[str, str]:
        """See `Multiclass.label_anomalies`."""
        del seen
        return {}

    def targets(self, labels: tf.Tensor, config: TrainerConfig) -> tf.Tensor:
        """float32 (batch,), standardised."""
        del config
        return (labels - self.mean) / self.deviation

    def loss(self, config: TrainerConfig) -> keras.losses.Loss:
        """The loss that `config.loss` names, on standardised labels."""
        return own_loss(config) or getattr(keras.losses, self.LOSSES[config.loss])()

    def metric_names(self, config: TrainerConfig) -> list[str]:
        """See `Multiclass.metric_names`."""
        return ["mae", *names_of(filter(is_reference, config.metrics or []))]

    def metrics(self, config: TrainerConfig) -> list[keras.metrics.Metric]:
        """The mean absolute error, in standard deviations, and the user's own."""
        own = [own_metric(config, name) for name in config.metrics or []]
        return [keras.metrics.MeanAbsoluteError(name="mae"), *filter(None, own)]

    def activated(self, logits: tf.Tensor) -> tf.Tensor:
        """What can be averaged over models."""
        return logits

    def distance(self, answers: tf.Tensor, logits: tf.Tensor, temperature: float) -> tf.Tensor:
        """See `Multiclass.distance`: the squared difference, in squared standard deviations; a number has no softer answers."""
        del temperature
        return tf.reduce_sum(tf.square(answers - tf.cast(logits, answers.dtype)), axis=-1)

    def score(self, answers: tf.Tensor, labels: np.ndarray) -> tuple[str, float]:
        """See `Multiclass.score`."""
        return "RMSE", float(((answers.numpy() - labels) ** 2).mean() ** 0.5)

    def served(self, predicted: tf.Tensor) -> dict[str, tf.Tensor]:
        """`values` float32 (batch,), in the label's own units, of the model's outputs (batch, 1)."""
        return {"values": tf.squeeze(predicted, -1) * self.deviation + self.mean}
