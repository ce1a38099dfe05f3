"""The end of a training by the clock."""

from time import monotonic
from typing import Any

import keras


class TimeLimit(keras.callbacks.Callback):
    """Ends the training after the first call of TensorFlow that ends behind the limit; the epoch's validation follows as ever.

    Attributes:
      spent: seconds of training and validation so far, those before an interruption included.
    """

    def __init__(self, minutes: float) -> None:
        super().__init__()
        self._limit = 60 * minutes
        self.spent = self._looked = 0.0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts the clock."""
        self.spent, self._looked = 0.0, monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at it."""
        now = monotonic()
        self.spent += now - self._looked
        self._looked = now
        if self.spent >= self._limit:
            self.model.stop_training = True
