"""Splits by time: a first pass finds the time at which each split ends, so that the latest rows test a model of earlier ones."""

import numpy as np
import pyarrow as pa

from components.example_gen import split
from components.example_gen.config import SplitsConfig
from components.example_gen.left_out import Rejects
from components.example_gen.readers.rows import Part
from trainer.errors import ConfigError, DataError


def bounds(parts: list[Part], config: SplitsConfig) -> dict[str, float]:
    """The latest time of each split but the last, by the shares of rows; the parts are read once for it.

    Raises:
      DataError: no row can be read, or has a time, or there are too few different ones to divide them.
    """
    column, rejects = config.time or "", Rejects()
    times = [_numbers(rows.batch.column(column), column) for part in parts for rows in part.read(rejects.add)]
    if not times and rejects.examples:
        first = rejects.examples[0]
        raise DataError(
            f"Expected rows with a time in the column '{column}' (`data.splits.time`). Received: none that can be read: {first}."
        )
    known = np.sort(np.concatenate([part[np.isfinite(part)] for part in times])) if times else np.zeros(0)
    names = split.SPLITS
    shares = np.cumsum([getattr(config, name) for name in names]) / sum(getattr(config, name) for name in names)
    latest = {
        name: float(known[max(0, round(share * len(known)) - 1)]) for name, share in zip(names[:-1], shares, strict=False) if len(known)
    }
    if not latest or not latest[split.TRAIN] < latest[split.EVAL] < known[-1]:
        raise DataError(
            f"Expected times in the column '{column}' (`data.splits.time`) that divide the rows by their shares. "
            f"Received: {len(np.unique(known)):,} different ones in {len(known):,} rows. Give another column, or shares by content."
        )
    return latest


def assign(times: pa.Array, latest: dict[str, float], column: str) -> np.ndarray:
    """The split of each row, str (rows,), "" for one without a time; `column` is theirs."""
    values = _numbers(times, column)
    place = np.searchsorted(list(latest.values()), values, side="left")
    return np.where(np.isfinite(values), np.asarray(split.SPLITS)[place], "")


def _numbers(times: pa.Array, column: str) -> np.ndarray:
    """float64 (rows,), NaN where there is none. Raises ConfigError where `column` is a feature that is no time."""
    if not (pa.types.is_integer(times.type) or pa.types.is_floating(times.type)):
        raise ConfigError(
            f"Expected the column '{column}' (`data.splits.time`) to be a time or a number. Received: a feature of words. "
            f"Give it `kind: time` in `features`, or name another column."
        )
    return times.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
