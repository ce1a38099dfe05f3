"""The history as a table: one row an epoch, for a spreadsheet or pandas."""

from typing import Any

import keras
import tensorflow as tf


class CsvHistory(keras.callbacks.CSVLogger):
    """`keras.callbacks.CSVLogger` with each epoch's learning rate, of which an interrupted training writes no row twice and loses none.

    Attributes:
      rows: what the logs said of all epochs, those before an interruption too; the first epoch is 1.
    """

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self.rows: list[dict[str, Any]] = []

    def go_on(self, rows: list[dict[str, Any]]) -> None:
        """Writes the epochs before an interruption, whatever another execution has left: it may have come further than what was kept."""
        for row in rows:
            self._write(row)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begins an empty file."""
        self.rows = []
        tf.io.gfile.makedirs(self.filename.rpartition("/")[0])
        super().on_train_begin(logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes a row. A callback that sets the rate has put that of the epoch into the logs."""
        rate = {"learning_rate": float(self.model.optimizer.learning_rate.numpy())}
        self._write({"epoch": epoch + 1, **rate, **(logs or {})})

    def _write(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        super().on_epoch_end(row["epoch"], {name: value for name, value in row.items() if name != "epoch"})
