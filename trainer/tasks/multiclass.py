"""One of several classes: a softmax over logits, and the label as the number of its class."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

import pydantic
from pydantic import Field

from trainer.errors import DataError
from trainer.features.kind import RawType, one_a_row
from trainer.lazy import keras, tf, tft
from trainer.settings import FOUND, Settings
from trainer.tasks.class_weights import ClassWeights, Weight, weights_of
from trainer.tasks.own import names_of, own_loss, own_metric

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    from trainer.config import TrainerConfig

MOST_CLASSES = 100_000
_VOCABULARY = "classes"
_LEAST = 1e-30  # of a probability whose logarithm is taken
_RARE = 0.5  # rows of a class that none is seen of, whose logarithm is taken
FLATTER = (1.0, 0.75, 0.5, 0.25, 0.0)  # what the logits of shares are multiplied by
_UNKNOWN = -1  # the number of a class that the train split does not have
_TOP_K = {"top_3_accuracy": 3, "top_5_accuracy": 5}


class Multiclass(Settings):
    """Labels are the numbers 0 to `classes` - 1, or, where `classes` is not given, the names that the train split has."""

    PREDICTIONS: ClassVar[str] = "probabilities"  # the served output that metrics are taken of
    ACTIVATION: ClassVar[str] = "softmax"  # what makes probabilities of logits
    LOSSES: ClassVar[Mapping[str, str]] = {  # Keras's class by the name in a config
        "auto": "SparseCategoricalCrossentropy",
        "sparse_categorical_crossentropy": "SparseCategoricalCrossentropy",
        "categorical_crossentropy": "CategoricalCrossentropy",
        "categorical_focal_crossentropy": "CategoricalFocalCrossentropy",
    }
    METRICS: ClassVar[tuple[str, ...]] = ("accuracy", *_TOP_K)  # that a config can name

    kind: Literal["multiclass"] = Field("multiclass", description="One of several classes.")
    classes: int | None = Field(
        None, ge=2, le=MOST_CLASSES, description="Number of classes, where labels are numbers from 0 to one less; any other is an anomaly."
    )
    names: tuple[str, ...] | None = Field(
        None, strict=False, description="The classes' names by their numbers, once they are known.", json_schema_extra=FOUND
    )

    class_weights: ClassWeights = Field(
        "none",
        description="How much a row of each class counts in the loss and in the answer: `balanced` makes classes equally important however "
        "rare they are, a mapping like `{spam: 5}` says it for single classes, the others count 1. Probabilities stay those of the data.",
    )
    weights: tuple[Weight, ...] | None = Field(
        None, strict=False, description="The weights by the classes' numbers, once they are known.", json_schema_extra=FOUND
    )
    threshold: Literal["auto"] | None = Field(
        None,
        description="`auto` answers rare classes where that pays: of the answers between the most probable class and the one that "
        "`class_weights` ask for, those of the greatest macro F1 to be expected on the eval split.",
    )
    answer_weights: tuple[Weight, ...] | None = Field(
        None,
        strict=False,
        description="What `threshold: auto` has found: how much each class counts in the answer.",
        json_schema_extra=FOUND,
        exclude_if=lambda weights: weights is None,
    )

    @pydantic.model_validator(mode="after")
    def _has_what_auto_chooses_of(self) -> Self:
        if self.threshold == "auto" and self.class_weights == "none":
            raise ValueError(
                "task.threshold: Expected `class_weights` with `threshold: auto` of several classes, which it is found within. "
                "Received none. Set `class_weights: balanced`."
            )
        return self

    @property
    def raw_type(self) -> RawType:
        """How a row holds the label."""
        return "string" if self.is_named else "int"

    @property
    def is_named(self) -> bool:
        """Whether classes have names, found in the train split."""
        return self.classes is None or self.names is not None

    @property
    def outputs(self) -> int:
        """How many logits the model gives for a row."""
        if self.classes is None:
            raise ValueError("Expected the classes to be known by now: call `resolved` first.")
        return self.classes

    def transform_label(self, raw: tf.Tensor | tf.SparseTensor) -> tf.Tensor:
        """int64 (batch,), the number of the class, -1 for a name that the train split does not have."""
        if not self.is_named:
            return tf.cast(one_a_row(raw, _UNKNOWN), tf.int64)
        return tft.compute_and_apply_vocabulary(one_a_row(raw, b""), default_value=_UNKNOWN, vocab_filename=_VOCABULARY)

    def resolved(self, graph: tft.TFTransformOutput) -> Self:
        """The task with what Transform has found in the train split.

        Raises:
          DataError: there are not two classes.
        """
        if not self.is_named:
            return self
        names = self._ordered([name.decode("utf-8", "replace") for name in graph.vocabulary_by_name(_VOCABULARY)])
        if not 2 <= len(names) <= MOST_CLASSES:
            raise DataError(
                f"Expected a label of 2 to {MOST_CLASSES:,} classes in the train split. Received: {len(names):,}"
                f"{f' ({names[0]!r})' if names else ''}. Give rows of other classes too, or another `label`."
            )
        return self.model_copy(update={"classes": len(names), "names": tuple(names)})

    def _ordered(self, names: list[str]) -> list[str]:
        """The names by the numbers that `transform_label` gives."""
        return names

    def fitted(self, labels: tf.Tensor) -> Self:
        """The task with the weights of its classes, which all transformed labels of the train split decide.

        Raises:
          DataError: a weight is for a class that there is not.
        """
        classes = self.names or tuple(map(str, range(self.outputs)))
        known = labels.numpy()[self.is_known(labels).numpy()]
        return self.model_copy(update={"weights": weights_of(self.class_weights, classes, known)})

    def tuned(self, evaluate: Callable[[], tuple[np.ndarray, np.ndarray]]) -> Self:
        """The task with what is found once the model is trained; `evaluate` gives predictions (rows, ...) and targets of the eval split."""
        if self.threshold != "auto":
            return self
        if self.weights is None:
            raise ValueError("Expected the class weights to be known by now: call `fitted` first.")
        from trainer.tasks.answer_weights import answer_weights  # it imports NumPy

        return self.model_copy(update={"answer_weights": answer_weights(evaluate()[0], self.weights)})

    def constant_logits(self, labels: tf.Tensor) -> tf.Tensor:
        """float32 (constants, outputs): the logits of answers that are the same for every row, one of which is about the best there is.

        What the best one is, the loss says: probabilities that are the shares of the classes, each times its weight, or flatter ones, as a
        focal loss or smoothed labels have them.

        Args:
          labels: transformed ones of the train split, (rows, ...), that are known.
        """
        counts = tf.cast(tf.math.bincount(tf.cast(labels, tf.int32), minlength=self.outputs), tf.float32)
        weights = 1.0 if self.weights is None else tf.constant(self.weights, tf.float32)
        return tf.math.log(tf.maximum(counts, _RARE) * weights) * tf.constant(FLATTER)[:, tf.newaxis]

    def parsed_label(self, parsed: tf.Tensor) -> tf.Tensor:
        """int64 (batch,), of a parsed transformed row, as it is."""
        return parsed

    def evaluated_label(self, raw: tf.Tensor | tf.SparseTensor, number: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """int64 (batch,), what the Evaluator compares with, of the raw label; `number` gives a name's number."""
        return number(one_a_row(raw, b""))

    def check_labels(self, labels: Sequence[tf.Tensor], origin: str) -> None:
        """Raises DataError where one of the transformed `labels`, which come from the file `origin`, is no class."""
        if self.is_named:
            return
        low = min(int(tf.reduce_min(part)) for part in labels)
        high = max(int(tf.reduce_max(part)) for part in labels)
        if low < 0 or high >= self.outputs:
            raise DataError(
                f"Expected labels from 0 to {self.outputs - 1}, because `trainer.classes` is {self.outputs}. "
                f"Received labels from {low} to {high} in {origin}. "
                + (f"Set `trainer.classes: {high + 1}` if they are right." if low >= 0 else "Number the classes from 0.")
            )

    def is_known(self, labels: tf.Tensor) -> tf.Tensor:
        """Bool (batch,): of which transformed labels a loss can be taken."""
        return labels >= 0

    def label_anomalies(self, seen: Mapping[str, tuple[float, float]]) -> dict[str, str]:
        """What is wrong with the raw labels of a split, a clause each, of the lowest and the highest of each split."""
        if self.is_named:
            return {}
        outside = {split: (round(low), round(high)) for split, (low, high) in seen.items() if low < 0 or high >= self.outputs}
        highest = max((round(high) for _, high in seen.values()), default=0)
        remedy = "" if any(low < 0 for low, _ in outside.values()) else f": for these labels set `trainer.classes: {highest + 1}`"
        return {
            split: f"labels from {low} to {high} (`trainer.classes` says: 0 to {self.outputs - 1}){remedy}"
            for split, (low, high) in outside.items()
        }

    def targets(self, labels: tf.Tensor, config: TrainerConfig) -> tf.Tensor:
        """What the loss is given for the transformed `labels`, (batch,): them, or float32 (batch, classes), one-hot."""
        return tf.one_hot(labels, self.outputs) if config.is_one_hot else labels

    def loss(self, config: TrainerConfig) -> keras.losses.Loss:
        """The loss that `config.loss` names, on logits (batch, classes)."""
        smoothing = {"label_smoothing": config.label_smoothing} if config.is_one_hot else {}
        loss = own_loss(config) or getattr(keras.losses, self.LOSSES[config.loss])(from_logits=True, **smoothing)
        if self.weights is None:
            return loss
        from trainer.tasks.weighted_loss import WeightedLoss  # it imports TensorFlow

        return WeightedLoss(loss, self.weights)

    def metric_names(self, config: TrainerConfig) -> list[str]:
        """What `metrics` are called where they are shown."""
        return names_of(config.metrics or ["accuracy"])

    def metrics(self, config: TrainerConfig) -> list[str | keras.metrics.Metric]:
        """The metrics that `config.metrics` names, on what `targets` gives and logits."""
        top_k = keras.metrics.TopKCategoricalAccuracy if config.is_one_hot else keras.metrics.SparseTopKCategoricalAccuracy

        def metric(name: str) -> str | keras.metrics.Metric:
            return top_k(k=_TOP_K[name], name=name) if name in _TOP_K else own_metric(config, name) or name

        return [metric(name) for name in config.metrics or ["accuracy"]]

    def activated(self, logits: tf.Tensor) -> tf.Tensor:
        """What can be averaged over models: probabilities (batch, ..., classes) of logits (batch, ..., classes).

        A weighted loss teaches probabilities of data in which each class is so much more frequent: that is taken back.
        """
        return tf.nn.softmax(self._of_the_data(logits))

    def distance(self, answers: tf.Tensor, logits: tf.Tensor, temperature: float) -> tf.Tensor:
        """How far what a model gives is from another's answers: the Kullback-Leibler divergence of the softened ones.

        Args:
          answers: what `activated` gives of the other's, float32 (batch, ..., classes).
          logits: (batch, ..., classes).
          temperature: what the logits of both are divided by.

        Returns:
          float32 (batch, ...), times the square of the temperature, so that gradients of softer answers are as large.
        """
        theirs = tf.nn.log_softmax(tf.math.log(tf.maximum(answers, _LEAST)) / temperature)
        ours = tf.nn.log_softmax(tf.cast(self._of_the_data(logits), theirs.dtype) / temperature)
        return temperature**2 * tf.reduce_sum(tf.exp(theirs) * (theirs - ours), axis=-1)

    def _of_the_data(self, logits: tf.Tensor) -> tf.Tensor:
        return logits if self.weights is None else logits - tf.math.log(tf.constant(self.weights, logits.dtype))

    def decided(self, probabilities: tf.Tensor) -> tf.Tensor:
        """int64 (batch,), the number of the class that is answered, of probabilities (batch, classes): the one that weighs most."""
        weights = self.answer_weights or self.weights
        return tf.argmax(probabilities if weights is None else probabilities * tf.constant(weights, probabilities.dtype), axis=-1)

    def score(self, answers: tf.Tensor, labels: np.ndarray) -> tuple[str, float]:
        """The name and the value of what says in one number how good served PREDICTIONS (rows, ...) are for transformed labels."""
        return "accuracy", float((self.decided(answers).numpy() == labels).mean())

    def served(self, predicted: tf.Tensor) -> dict[str, tf.Tensor]:
        """What a caller is answered, of `activated` logits.

        `probabilities` float32 (batch, classes) and `classes`, what `decided` gives: names (batch,), int64 where classes are numbers.
        Named classes come with `class_names`, string (batch, classes), in the order of the probabilities.
        """
        best = self.decided(predicted)
        if self.names is None:
            return {"probabilities": predicted, "classes": best}
        names = tf.constant(self.names)
        return {
            "probabilities": predicted,
            "classes": tf.gather(names, best),
            "class_names": tf.tile(names[tf.newaxis], [tf.shape(predicted)[0], 1]),
        }
