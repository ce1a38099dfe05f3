"""The column that says how much each row counts in the loss: which of its values can be no weight, and rows that all count nothing."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from components.example_gen.readers.rows import Rows
from trainer.errors import DataError, printable


def missing(weights: pa.Array, column: str, rows: Rows) -> np.ndarray:
    """Bool (rows,): which rows have no weight.

    Args:
      weights: float64 (rows,), null or NaN where there is none.
      column: its name.
      rows: which they are of, to tell where one stands.

    Raises:
      DataError: one is below 0, or more than a float32 can be.
    """
    values = weights.to_numpy(zero_copy_only=False).astype(np.float64)
    with np.errstate(over="ignore"):
        is_wrong = (values < 0) | np.isinf(values.astype(np.float32))
    if is_wrong.any():
        first = int(np.flatnonzero(is_wrong)[0])
        file = rows.file if isinstance(rows.file, str) else rows.file[first]
        raise DataError(
            f"Expected finite numbers from 0 on in the column '{printable(column)}' (`weight`), how much a row counts. "
            f"Received: {values[first]:g} in line {rows.lines[first]} of '{printable(file)}'. "
            "Mend the value, leave it empty, which leaves the row out, or name another column in `weight`."
        )
    return np.isnan(values)


def check_some_count(column: str, rows: dict[str, int], weightless: dict[str, int], splits: Iterable[str]) -> None:
    """Raises DataError where the loss of one of the `splits` would be of rows that weigh nothing; both counts are by split."""
    for name in splits:
        if rows[name] and weightless[name] >= rows[name]:
            raise DataError(
                f"Expected a weight above 0 in some row of the split '{name}', in the column '{printable(column)}' (`weight`). "
                f"Received: 0 in all {rows[name]:,} rows. Give rows that count, or remove `weight`, and all rows count alike."
            )
