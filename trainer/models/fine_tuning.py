"""Layers that are trained at a share of the learning rate, and layers that are trained from a later update on."""

from collections.abc import Iterable, Sequence

import keras
import tensorflow as tf


class FineTuning:
    """A part of an optimizer, before what updates a variable; nothing is changed where nobody asks.

    The share is of the learning rate, for one of the gradient would not do: Adam's step is as long for gradients of any size.
    """

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Makes the variables. Those of the model that are not trainable yet are trained later; `late_from` is an int64 scalar then."""
        super().build(variables)
        self._slow, self._share = frozenset(), 1.0
        self._late = frozenset(number for number, variable in enumerate(variables) if not variable.trainable)
        if self._late:
            self.late_from = self.add_variable((), dtype="int64", aggregation="only_first_replica", name="late_from")

    def slow_down(self, variables: Iterable[keras.Variable], share: float) -> None:
        """Has those of `variables` that it knows trained at `share` of the learning rate; before the first step is traced."""
        known = self._trainable_variables_indices
        self._slow = frozenset(known[key] for key in map(self._var_key, variables) if key in known)
        self._share = share

    def begin_late(self) -> None:
        """What was not trainable when the optimizer was built is trained from the next update on."""
        self.late_from.assign(self.iterations)

    def updates_of(self, number: int) -> tf.Tensor:
        """How many updates a variable, counted from 0, has had before this one."""
        return self.iterations - self.late_from if number in self._late else self.iterations

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """Moves `variable` by one step."""
        if self._get_variable_index(variable) in self._slow:
            learning_rate = learning_rate * self._share
            if self.weight_decay is not None and self._use_weight_decay(variable):
                variable.assign_sub(variable * tf.cast(self.weight_decay * learning_rate, variable.dtype))
        super().update_step(gradient, variable, learning_rate)

    def _apply_weight_decay(self, variables: Sequence[keras.Variable]) -> None:
        """Keras takes it at the whole learning rate."""
        super()._apply_weight_decay([variable for variable in variables if self._get_variable_index(variable) not in self._slow])
