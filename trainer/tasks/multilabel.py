"""Several labels for one row, or none: a sigmoid over each logit, and the label as a mark for each of the train split's names."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field

from trainer.errors import DataError
from trainer.features.kind import RawType
from trainer.lazy import keras, tf, tft
from trainer.reference import is_reference
from trainer.settings import FOUND, Settings
from trainer.tasks.multiclass import FLATTER
from trainer.tasks.own import names_of, own_loss, own_metric

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    from trainer.config import TrainerConfig

MOST_LABELS = 10_000  # a row's labels are kept as a byte for each
_LEAST = 1e-7  # of a probability, and of one less it, whose logarithm is taken
_RARE = 0.5  # rows that are added to those with a label and to those without, of which there may be none
THRESHOLD = 0.5  # of a probability, above which a row has the label
_VOCABULARY = "labels"
_SEPARATOR = ";"  # of what is answered, where the data has lists


class Multilabel(Settings):
    """Labels are lists of names; those that the train split does not have are left out of them."""

    PREDICTIONS: ClassVar[str] = "probabilities"
    ACTIVATION: ClassVar[str] = "sigmoid"
    LOSSES: ClassVar[Mapping[str, str]] = {  # Keras's class by the name in a config
        "auto": "BinaryCrossentropy",
        "binary_crossentropy": "BinaryCrossentropy",
        "binary_focal_crossentropy": "BinaryFocalCrossentropy",
    }
    METRICS: ClassVar[tuple[str, ...]] = ("accuracy",)  # that a config can name

    kind: Literal["multilabel"] = Field("multilabel", description="Several labels for one row, or none.")
    separator: str | None = Field(
        None,
        min_length=1,
        description="What stands between the labels of a row, where they are one text: `;`. Spaces around a label are no part of it. "
        "Without it a label is a list: an array in JSON lines, a list of strings in Parquet.",
    )
    names: tuple[str, ...] | None = Field(
        None,
        strict=False,
        description="The labels' names in the order of their probabilities, once they are known.",
        json_schema_extra=FOUND,
    )

    raw_type: ClassVar[RawType] = "strings"

    @property
    def outputs(self) -> int:
        """How many logits the model gives for a row."""
        if self.names is None:
            raise ValueError("Expected the labels to be known by now: call `resolved` first.")
        return len(self.names)

    def transform_label(self, raw: tf.Tensor | tf.SparseTensor) -> tf.SparseTensor:
        """int64 (batch, any): the numbers of the row's labels, the most frequent label's being 0, -1 for one that the train split lacks."""
        return tft.compute_and_apply_vocabulary(_sparse(raw), default_value=-1, vocab_filename=_VOCABULARY)

    def resolved(self, graph: tft.TFTransformOutput) -> Self:
        """See `Multiclass.resolved`. Raises DataError where no row has a label, or there are too many."""
        names = tuple(name.decode("utf-8", "replace") for name in graph.vocabulary_by_name(_VOCABULARY))
        if not 1 <= len(names) <= MOST_LABELS:
            raise DataError(
                f"Expected 1 to {MOST_LABELS:,} different labels in the train split for `task: multilabel`. Received: {len(names):,}. "
                f"Give {'rows that have labels' if not names else 'fewer, or another `task.separator`'}, or another `label`."
            )
        return self.model_copy(update={"names": names})

    def fitted(self, labels: tf.Tensor) -> Self:
        """See `Multiclass.fitted`."""
        del labels
        return self

    def tuned(self, evaluate: Callable[[], tuple[np.ndarray, np.ndarray]]) -> Self:
        """See `Multiclass.tuned`."""
        del evaluate
        return self

    def constant_logits(self, labels: tf.Tensor) -> tf.Tensor:
        """See `Multiclass.constant_logits`: of each label's own share."""
        import numpy as np  # not above: a config is read without it

        counts = np.count_nonzero(labels, axis=0)  # which makes no floats of all marks
        shares = np.log((counts + _RARE) / (labels.shape[0] - counts + _RARE))
        return tf.constant(np.outer(FLATTER, shares), tf.float32)

    def parsed_label(self, parsed: tf.SparseTensor) -> tf.Tensor:
        """uint8 (batch, labels), 1 where a row has the label, of what `transform_label` gives."""
        known = tf.sparse.retain(parsed, parsed.values >= 0)
        places = tf.stack([known.indices[:, 0], known.values], axis=1)
        shape = tf.stack([parsed.dense_shape[0], tf.constant(self.outputs, tf.int64)])
        times = tf.scatter_nd(places, tf.ones_like(known.values), shape)  # more than once where a row names a label twice
        return tf.ensure_shape(tf.cast(times > 0, tf.uint8), (None, self.outputs))

    def evaluated_label(self, raw: tf.Tensor | tf.SparseTensor, number: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """float32 (batch, labels), what the Evaluator compares with, of the raw label; `number` gives names' numbers."""
        labels = _sparse(raw)
        return tf.cast(self.parsed_label(tf.SparseTensor(labels.indices, number(labels.values), labels.dense_shape)), tf.float32)

    def check_labels(self, labels: Sequence[tf.Tensor], origin: str) -> None:
        """Every set of the labels is one, the empty one too."""

    def is_known(self, labels: tf.Tensor) -> tf.Tensor:
        """Bool (batch,): of which transformed labels a loss can be taken."""
        return tf.ones(tf.shape(labels)[:1], tf.bool)

    def label_anomalies(self, seen: Mapping[str, tuple[float, float]]) -> dict[str, str]:
        """See `Multiclass.label_anomalies`."""
        del seen
        return {}

    def targets(self, labels: tf.Tensor, config: TrainerConfig) -> tf.Tensor:
        """float32 (batch, labels)."""
        del config
        return tf.cast(labels, tf.float32)

    def loss(self, config: TrainerConfig) -> keras.losses.Loss:
        """The loss that `config.loss` names, on logits (batch, labels)."""
        return own_loss(config) or getattr(keras.losses, self.LOSSES[config.loss])(from_logits=True, label_smoothing=config.label_smoothing)

    def metric_names(self, config: TrainerConfig) -> list[str]:
        """See `Multiclass.metric_names`."""
        return ["accuracy", *names_of(filter(is_reference, config.metrics or []))]

    def metrics(self, config: TrainerConfig) -> list[keras.metrics.Metric]:
        """The share of the rows whose labels are all told right, and no other is, on logits, and the user's own."""
        own = [own_metric(config, name) for name in config.metrics or []]
        return [keras.metrics.MeanMetricWrapper(_all_right, name="accuracy"), *filter(None, own)]

    def activated(self, logits: tf.Tensor) -> tf.Tensor:
        """What can be averaged over models: probabilities (batch, ..., labels) of logits (batch, ..., labels)."""
        return tf.sigmoid(logits)

    def distance(self, answers: tf.Tensor, logits: tf.Tensor, temperature: float) -> tf.Tensor:
        """See `Multiclass.distance`: the mean over the labels, each by itself, as the loss has it."""
        clipped = tf.clip_by_value(answers, _LEAST, 1 - _LEAST)
        theirs = (tf.math.log(clipped) - tf.math.log1p(-clipped)) / temperature
        ours = tf.cast(logits, theirs.dtype) / temperature
        yes, no = (tf.sigmoid(side * theirs) * (tf.math.log_sigmoid(side * theirs) - tf.math.log_sigmoid(side * ours)) for side in (1, -1))
        return temperature**2 * tf.reduce_mean(yes + no, axis=-1)

    def score(self, answers: tf.Tensor, labels: np.ndarray) -> tuple[str, float]:
        """See `Multiclass.score`: the share of the rows whose labels are all told right, and no other is."""
        return "accuracy", float(((answers.numpy() > THRESHOLD) == (labels > 0)).all(axis=1).mean())

    def served(self, predicted: tf.Tensor) -> dict[str, tf.Tensor]:
        """What a caller is answered, of `activated` logits.

        `probabilities` float32 (batch, labels), `class_names` string (batch, labels) in their order, `predicted` bool (batch, labels),
        whether the probability is above the threshold, and `classes` string (batch,), the names of those, the separator between them.
        """
        names = tf.tile(tf.constant(self.names)[tf.newaxis], [tf.shape(predicted)[0], 1])
        is_above = predicted > THRESHOLD
        return {
            "probabilities": predicted,
            "class_names": names,
            "predicted": is_above,
            "classes": tf.strings.reduce_join(tf.ragged.boolean_mask(names, is_above), axis=-1, separator=self.separator or _SEPARATOR),
        }


def _sparse(raw: tf.Tensor | tf.SparseTensor) -> tf.SparseTensor:
    """String (batch, any), whatever way the schema made TFX hand the labels over."""
    return raw if isinstance(raw, tf.SparseTensor) else tf.sparse.from_dense(tf.reshape(raw, [tf.shape(raw)[0], -1]))


def _all_right(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """float32 (batch,): 1 where a row has exactly the labels whose logits are above 0."""
    return tf.cast(tf.reduce_all(tf.equal(labels > 0, logits > 0), axis=-1), tf.float32)
