"""Which split a row belongs to, decided by its own content alone."""

import hashlib

import numpy as np

from components.example_gen.config import SplitsConfig

TRAIN, EVAL, TEST = "train", "eval", "test"
SPLITS = (TRAIN, EVAL, TEST)


def assign(images: np.ndarray, weights: SplitsConfig, has_official_test: bool) -> np.ndarray:
    """The split of each image, str (rows,), from a hash of its raw pixels.

    The same image always lands in the same split, whatever its neighbours, its label or the library that encodes it;
    adding rows moves none, and duplicates cannot straddle splits.

    Args:
      images: uint8 (rows, height, width[, 3]).
      weights: shares of the splits.
      has_official_test: rows are then divided between train and eval only.
    """
    shares = [weights.train, weights.eval] + ([] if has_official_test else [weights.test])
    bounds = np.cumsum(shares)
    buckets = np.fromiter((_hash(image) % int(bounds[-1]) for image in images), np.int64, len(images))
    return np.asarray(SPLITS)[np.searchsorted(bounds, buckets, side="right")]


def _hash(image: np.ndarray) -> int:
    digest = hashlib.blake2b(np.asarray(image.shape, np.int32).tobytes(), digest_size=8)
    digest.update(np.ascontiguousarray(image))
    return int.from_bytes(digest.digest(), "big")
