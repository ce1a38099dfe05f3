"""The moving average of the weights in the model's place wherever the model is judged or exported, and nowhere else.

each update: the optimizer's averages follow the weights -> validation: the averages go in -> the best are saved
    -> the weights come back, before a checkpoint and the next epoch -> the end of the training: the averages go in
"""

from typing import Any

import keras
import tensorflow as tf


class AveragedWeights(keras.callbacks.Callback):
    """Stands behind whatever judges or saves an epoch's weights, and before whatever keeps the training's state.

    The weights come back as they were, bit for bit: `keras.callbacks.SwapEMAWeights` swaps by sums and differences, which round.
    """

    def __init__(self) -> None:
        super().__init__()
        self._trained: list[tf.Tensor] = []  # while the averages are in the model

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Validation is of the averages."""
        self._trained = [tf.identity(variable.value) for variable in self.model.trainable_variables]
        self._put_in(self.model.optimizer.averages)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """The callbacks before this one have seen the averages."""
        self._put_in(self._trained)
        self._trained = []

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """What is exported with `weights: last`."""
        self._put_in(self.model.optimizer.averages)

    def _put_in(self, values: list[Any]) -> None:
        for variable, value in zip(self.model.trainable_variables, values, strict=True):
            variable.assign(value)
