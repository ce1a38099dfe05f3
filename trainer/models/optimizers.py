"""The optimizers by name. Adam and AdamW are Keras's, with the update of a variable in one TensorFlow kernel."""

import keras
import tensorflow as tf

from trainer.config import TrainerConfig
from trainer.models.schedules import make_schedule


class _FusedAdamUpdate:
    """Keras's Adam step as the one kernel `ResourceApplyAdam`, where Keras runs a dozen: those weigh in a small model's step."""

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """Moves `variable` and its two moments by one step, in place.

        An embedding's gradient comes as the rows that a batch has used. The kernel takes it whole, for Adam moves the others too, by
        their moments.
        """
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, variable.dtype)
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
class FusedAdam(_FusedAdamUpdate, keras.optimizers.Adam):
    """`keras.optimizers.Adam`, the same weights to float precision."""


@keras.saving.register_keras_serializable("tapeline")
class FusedAdamW(_FusedAdamUpdate, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW`, the same weights to float precision."""


_OPTIMIZERS = {
    "adam": FusedAdam,
    "adamw": FusedAdamW,
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
}


def make_optimizer(config: TrainerConfig, steps: int) -> keras.optimizers.Optimizer:
    """The optimizer that `config.optimizer` names, with the learning rate, decay, clipping and accumulation of `config`.

    Args:
      config: the settings.
      steps: of all epochs together, over which a schedule goes.
    """
    return _OPTIMIZERS[config.optimizer](
        learning_rate=make_schedule(config, steps),
        global_clipnorm=config.clip_norm,
        clipnorm=config.clip_each_norm,
        clipvalue=config.clip_value,
        **({} if config.weight_decay is None else {"weight_decay": config.weight_decay}),
        **({} if config.accumulate == 1 else {"gradient_accumulation_steps": config.accumulate}),
    )
