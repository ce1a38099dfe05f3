"""One of several classes: a softmax over logits, and the label as the number of its class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from trainer.errors import DataError
from trainer.features.kind import one_a_row
from trainer.lazy import keras, tf
from trainer.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trainer.config import TrainerConfig

_TOP_K = {"top_3_accuracy": 3, "top_5_accuracy": 5}


class Multiclass(Settings):
    """Labels are the numbers 0 to `classes` - 1."""

    kind: Literal["multiclass"] = "multiclass"
    classes: int = Field(10, ge=2, le=100_000, description="Number of classes. Labels run from 0 to one less; any other is an anomaly.")

    @property
    def outputs(self) -> int:
        """How many logits the model gives for a row."""
        return self.classes

    def transform_label(self, raw: tf.Tensor | tf.SparseTensor) -> tf.Tensor:
        """int64 (batch,), the number of the class."""
        return tf.cast(one_a_row(raw, -1), tf.int64)

    def check_labels(self, labels: Sequence[tf.Tensor], origin: str) -> None:
        """Raises DataError where one of the transformed `labels`, which come from the file `origin`, is no class."""
        low = min(int(tf.reduce_min(part)) for part in labels)
        high = max(int(tf.reduce_max(part)) for part in labels)
        if low < 0 or high >= self.classes:
            raise DataError(
                f"Expected labels from 0 to {self.classes - 1}, because `trainer.classes` is {self.classes}. "
                f"Received labels from {low} to {high} in {origin}. "
                + (f"Set `trainer.classes: {high + 1}` if they are right." if low >= 0 else "Number the classes from 0.")
            )

    def label_anomalies(self, name: str, seen: Mapping[str, tuple[float, float]]) -> list[str]:
        """What is wrong with the raw labels, a clause each, of the lowest and the highest of each split; `name` is the label's feature."""
        outside = {split: (round(low), round(high)) for split, (low, high) in seen.items() if low < 0 or high >= self.classes}
        highest = max((round(high) for _, high in seen.values()), default=0)
        remedy = "" if any(low < 0 for low, _ in outside.values()) else f": for these labels set `trainer.classes: {highest + 1}`"
        return [
            f"feature '{name}', split '{split}': labels from {low} to {high} (`trainer.classes` says: 0 to {self.classes - 1}){remedy}"
            for split, (low, high) in outside.items()
        ]

    def targets(self, labels: tf.Tensor, config: TrainerConfig) -> tf.Tensor:
        """What the loss is given for the transformed `labels`, (batch,): them, or float32 (batch, classes), one-hot."""
        return tf.one_hot(labels, self.classes) if _one_hot(config) else labels

    def loss(self, config: TrainerConfig) -> keras.losses.Loss:
        """The loss that `config.loss` names, on logits (batch, classes)."""
        losses = {
            "sparse_categorical_crossentropy": keras.losses.SparseCategoricalCrossentropy,
            "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
            "categorical_focal_crossentropy": keras.losses.CategoricalFocalCrossentropy,
        }
        smoothing = {"label_smoothing": config.label_smoothing} if _one_hot(config) else {}
        return losses[config.loss](from_logits=True, **smoothing)

    def metrics(self, config: TrainerConfig) -> list[str | keras.metrics.Metric]:
        """The metrics that `config.metrics` names, on what `targets` gives and logits."""
        top_k = keras.metrics.TopKCategoricalAccuracy if _one_hot(config) else keras.metrics.SparseTopKCategoricalAccuracy
        return [top_k(k=_TOP_K[name], name=name) if name in _TOP_K else name for name in config.metrics]

    def served(self, logits: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """What a caller is answered: `probabilities` float32 (batch, classes), and `classes` int64 (batch,), the most probable one."""
        probabilities = tf.nn.softmax(logits)
        return {"probabilities": probabilities, "classes": tf.argmax(probabilities, axis=-1)}


def _one_hot(config: TrainerConfig) -> bool:
    """Whether the loss takes labels one-hot encoded."""
    return config.loss.startswith("categorical")
