"""The optimizers by name: Keras's, which count the finite steps. Adam and AdamW update a variable in one TensorFlow kernel."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from trainer.config import TrainerConfig
from trainer.loss_scale import DynamicLossScale
from trainer.models.fine_tuning import FineTuning
from trainer.models.gradient_norm import MeasuresNorm
from trainer.models.schedules import make_schedule


class _CountsFiniteSteps:
    """Knows the first step whose gradients were no finite numbers: from there on no step's are.

    Only the last variable's gradient is looked at, as a rule of few values, the biases of the logits: that costs a step next to nothing.
    Where it is finite and another one is not, the weights that come of it make the next step's NaN.
    """

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Makes the variables, of which `finite_steps` is an int64 scalar."""
        super().build(variables)
        self.finite_steps = self.add_variable((), dtype="int64", aggregation="only_first_replica", name="finite_steps")

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[keras.Variable] | None = None) -> None:
        """One step."""
        super().apply(grads, trainable_variables)  # builds it, if need be
        if last := [grad for grad in grads if grad is not None][-1:]:
            total = tf.reduce_sum(last[0].values if isinstance(last[0], tf.IndexedSlices) else last[0])
            self.finite_steps.assign_add(tf.cast(tf.math.is_finite(total), tf.int64))

    @property
    def batches(self) -> int:
        """How many steps there were; where gradients are accumulated `iterations` counts fewer, and schedules these."""
        return int(self._iterations.numpy())

    def rate_at(self, step: int) -> float:
        """The learning rate in a step, counted from 0."""
        rate = self._learning_rate
        return float(rate(tf.constant(step)) if callable(rate) else rate)


class _DenseOnReplicas:
    """Replicas add up a table's gradient whole, as any other one.

    TensorFlow would have them gather the rows that each has used, and remembers within one call how many those were: a smaller last batch,
    or another width of texts, ended the loop of many steps.
    """

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[keras.Variable] | None = None) -> None:
        """One step."""
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            grads = [tf.convert_to_tensor(grad) if isinstance(grad, tf.IndexedSlices) else grad for grad in grads]
        super().apply(grads, trainable_variables)


class _AveragesWeights:
    """Where `use_ema` is set, an update moves the averages, and nothing but a callback puts them into the model."""

    @property
    def averages(self) -> list[keras.Variable]:
        """Of the variables that are trainable now, in their order."""
        pairs = zip(self._trainable_variables, self._model_variables_moving_average, strict=True)
        return [average for variable, average in pairs if variable.trainable]

    def finalize_variable_values(self, var_list: Sequence[keras.Variable]) -> None:
        """Leaves the weights alone, of which Keras makes the averages whenever `model.fit` returns."""

    def _update_model_variables_moving_average(self, trainable_variables: Sequence[keras.Variable]) -> None:
        """Not for a batch whose gradients are only added up, where Keras moves the averages too."""
        update = super()._update_model_variables_moving_average
        if batches := self.gradient_accumulation_steps:
            keras.ops.cond((self._iterations + 1) % batches == 0, lambda: update(trainable_variables), lambda: None)
        else:
            update(trainable_variables)


class _OfBothLoops(_CountsFiniteSteps, _DenseOnReplicas, _AveragesWeights, FineTuning, MeasuresNorm):
    """What each optimizer has beside Keras's own."""


class _FusedAdamUpdate:
    """Keras's Adam step as the one kernel `ResourceApplyAdam`, where Keras runs a dozen: those weigh in a small model's step."""

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """Moves `variable` and its two moments by one step, in place.

        An embedding's gradient comes as the rows that a batch has used. The kernel takes it whole, for Adam moves the others too, by
        their moments.
        """
        index = self._get_variable_index(variable)
        step = tf.cast(self.updates_of(index) + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(tf.cast(self.beta_1, variable.dtype), step),
            beta2_power=tf.pow(tf.cast(self.beta_2, variable.dtype), step),
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=tf.cast(self.beta_1, variable.dtype),
            beta2=tf.cast(self.beta_2, variable.dtype),
            epsilon=tf.cast(self.epsilon, variable.dtype),
            grad=tf.cast(gradient, variable.dtype),
        )


@keras.saving.register_keras_serializable("tapeline")
class FusedAdam(_OfBothLoops, _FusedAdamUpdate, keras.optimizers.Adam):
    """`keras.optimizers.Adam`, the same weights to float precision."""


@keras.saving.register_keras_serializable("tapeline")
class FusedAdamW(_OfBothLoops, _FusedAdamUpdate, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW`, the same weights to float precision."""


@keras.saving.register_keras_serializable("tapeline")
class SGD(_OfBothLoops, keras.optimizers.SGD):
    """`keras.optimizers.SGD`."""


@keras.saving.register_keras_serializable("tapeline")
class RMSprop(_OfBothLoops, keras.optimizers.RMSprop):
    """`keras.optimizers.RMSprop`."""


_OPTIMIZERS = {
    "adam": FusedAdam,
    "adamw": FusedAdamW,
    "sgd": SGD,
    "rmsprop": RMSprop,
}


def make_optimizer(config: TrainerConfig, steps: int) -> keras.optimizers.Optimizer:
    """The optimizer that `config.optimizer` names, with all that `config` says of it.

    With float16 a `DynamicLossScale` is around it.

    Args:
      config: the settings.
      steps: of all epochs together, over which a schedule goes.
    """
    optimizer = _OPTIMIZERS[config.optimizer](
        learning_rate=make_schedule(config, steps),
        global_clipnorm=config.clip_norm,
        clipnorm=config.clip_each_norm,
        clipvalue=config.clip_value,
        **({} if config.weight_decay is None else {"weight_decay": config.weight_decay}),
        **({} if config.accumulate == 1 else {"gradient_accumulation_steps": config.accumulate}),
        **({"use_ema": True, "ema_momentum": config.ema} if config.ema else {}),
    )
    if config.tensorboard.gradient_norm:
        optimizer.measure_norm()
    return DynamicLossScale(optimizer) if config.precision == "mixed_float16" else optimizer
