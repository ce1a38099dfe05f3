"""Which split a row belongs to, decided by its own content alone."""

import hashlib

import numpy as np
import pyarrow as pa

from components.example_gen.config import SplitsConfig

TRAIN, EVAL, TEST = "train", "eval", "test"
SPLITS = (TRAIN, EVAL, TEST)


def assign(hashes: np.ndarray, weights: SplitsConfig, has_official_test: bool) -> np.ndarray:
    """The split of each row, str (rows,), from a hash of its content.

    The same row always lands in the same split, whatever its neighbours; adding rows moves none, and duplicates cannot straddle splits.

    Args:
      hashes: uint64 (rows,).
      weights: shares of the splits.
      has_official_test: rows are then divided between train and eval only.
    """
    shares = [weights.train, weights.eval] + ([] if has_official_test else [weights.test])
    bounds = np.cumsum(shares)
    return np.asarray(SPLITS)[np.searchsorted(bounds, (hashes % np.uint64(bounds[-1])).astype(np.int64), side="right")]


def hashes_of_images(images: np.ndarray) -> np.ndarray:
    """uint64 (rows,) of uint8 pixels (rows, height, width[, 3]), whatever the label or the library that encodes them."""
    return np.fromiter((_hash(image) for image in images), np.uint64, len(images))


def _hash(image: np.ndarray) -> int:
    digest = hashlib.blake2b(np.asarray(image.shape, np.int32).tobytes(), digest_size=8)
    digest.update(np.ascontiguousarray(image))
    return int.from_bytes(digest.digest(), "big")


def hashes_of_rows(batch: pa.RecordBatch) -> np.ndarray:
    """uint64 (rows,) of all columns of a batch, by their values and their order."""
    from pandas import DataFrame
    from pandas.util import hash_pandas_object

    columns = {str(index): column.to_numpy(zero_copy_only=False) for index, column in enumerate(batch.columns)}
    return hash_pandas_object(DataFrame(columns), index=False, categorize=False).to_numpy(np.uint64)
