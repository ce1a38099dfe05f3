"""Mixup (arXiv:1710.09412): a model learns from mixtures of two rows, whose loss is the mixture of the losses of both labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from trainer.errors import ConfigError
from trainer.lazy import keras, tf
from trainer.steps.step import Outcome, Step, input_names, listed_inputs, scaled, smooth_inputs, split_smooth

if TYPE_CHECKING:
    from trainer.steps.step import Inputs


class Mixup(Step):
    """Each row with another one of its batch, by a share drawn for the batch."""

    kind: Literal["mixup"] = Field("mixup", description="Learns from mixtures of two rows and of their labels.")
    alpha: float = Field(
        0.2, gt=0.0, le=100.0, description="Of the beta distribution that the share is drawn from: near 0 hardly ever mixes, 1 evenly."
    )

    def check(self, x: Inputs) -> None:
        """Raises ConfigError where an input cannot be mixed."""
        if left := [name for name in input_names(x) if name not in smooth_inputs(x)]:
            raise ConfigError(
                f"Expected nothing but pictures and numbers as features for `trainer.step: mixup`, for only those can be mixed. "
                f"Received: {listed_inputs(left)}. Set `trainer.step: standard`."
            )

    def __call__(self, model: keras.Model, x: Inputs, y: tf.Tensor, seed: tf.Tensor) -> Outcome:
        """See `Step`. Metrics see the label of the row that has the larger share."""
        share = self._share(seed)
        smooth, whole = split_smooth(x)
        order = tf.random.experimental.stateless_shuffle(tf.range(tf.shape(y)[0]), seed=seed + 1)
        mixed = [tf.cast(share, part.dtype) * part + tf.cast(1 - share, part.dtype) * tf.gather(part, order) for part in smooth]
        with tf.GradientTape() as tape:
            predictions = model(whole(mixed), training=True)
            own, other = (model.compute_loss(x, labels, predictions, training=True) for labels in (y, tf.gather(y, order)))
            loss = tf.cast(share, own.dtype) * own + tf.cast(1 - share, own.dtype) * other
            scaled_loss = scaled(model, loss)
        return Outcome(loss, tape.gradient(scaled_loss, model.trainable_variables), predictions)

    def _share(self, seed: tf.Tensor) -> tf.Tensor:
        """float32 scalar, 0.5 to 1: of a beta distribution, of which the half below is the same as the half above."""
        first, second = tf.unstack(tf.random.stateless_gamma([2], seed=seed, alpha=self.alpha))
        share = first / tf.maximum(first + second, 1e-30)
        return tf.maximum(share, 1 - share)
