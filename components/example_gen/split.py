"""Which split a row belongs to, decided by its own content alone."""

import hashlib
from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen.config import SplitsConfig

TRAIN, EVAL, TEST = "train", "eval", "test"
SPLITS = (TRAIN, EVAL, TEST)
_NO_NUMBER = np.iinfo(np.int64).min  # pandas has no other for a missing whole number, and hashes the rest of the column as floats then
_NAMES = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("eval", "evaluation", "val", "valid", "validation", "dev"), EVAL),
    **dict.fromkeys(("test", "testing"), TEST),
}


def assign(hashes: np.ndarray, weights: SplitsConfig, splits: Collection[str] = SPLITS) -> np.ndarray:
    """The split of each row, str (rows,), from a hash of its content.

    The same row always lands in the same split, whatever its neighbours; adding rows moves none, and duplicates cannot straddle splits.

    Args:
      hashes: uint64 (rows,).
      weights: shares of the splits.
      splits: those that rows are divided between; the others have official rows of their own.
    """
    names = [name for name in SPLITS if name in splits]
    bounds = np.cumsum([getattr(weights, name) for name in names])
    return np.asarray(names)[np.searchsorted(bounds, (hashes % np.uint64(bounds[-1])).astype(np.int64), side="right")]


def named(values: pa.Array, column: str) -> np.ndarray:
    """The split that each value of the column called `column` names, str (rows,), "" where it names none that there is."""
    known = pc.utf8_lower(pc.utf8_trim_whitespace(pc.fill_null(values.cast(pa.string()), "")))
    return np.asarray([_NAMES.get(value, "") for value in known.to_pylist()])


def hashes_of_images(images: np.ndarray) -> np.ndarray:
    """uint64 (rows,) of uint8 pixels (rows, height, width[, 3]), whatever the label or the library that encodes them."""
    return np.fromiter((_hash(image) for image in images), np.uint64, len(images))


def _hash(image: np.ndarray) -> int:
    digest = hashlib.blake2b(np.asarray(image.shape, np.int32).tobytes(), digest_size=8)
    digest.update(np.ascontiguousarray(image))
    return int.from_bytes(digest.digest(), "big")


def hashes_of_rows(batch: pa.RecordBatch) -> np.ndarray:
    """uint64 (rows,) of all columns of a batch, by their values and their order: equal rows have equal ones."""
    from pandas import DataFrame
    from pandas.util import hash_pandas_object

    columns = {str(index): _flat(column).to_numpy(zero_copy_only=False) for index, column in enumerate(batch.columns)}
    return hash_pandas_object(DataFrame(columns), index=False, categorize=False).to_numpy(np.uint64)


def _flat(column: pa.Array) -> pa.Array:
    """The column as it can be hashed: a list as one text, a whole number as such whether others are missing or not."""
    if pa.types.is_integer(column.type) and column.null_count:
        return pc.fill_null(column, _NO_NUMBER)
    return pc.binary_join(column.cast(pa.list_(pa.string())), "\x1f") if pa.types.is_list(column.type) else column
