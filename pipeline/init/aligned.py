"""Whether pictures show things in one place and pose, as scans do, or are photos in which anything may be anywhere.

pictures -> small, grey, each in the same light -> is the likest other one mostly of the same class?
"""

from collections.abc import Sequence

import numpy as np

SIDE = 16  # pixels
_MOST_ALIKE = 0.5  # of the way from chance to always; of 400 groceries it is .26 to .28, of clothes .69 to .74, of digits .98


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """Float32 (SIDE * SIDE,), with mean 0 and length 1, of grey pixels (SIDE, SIDE); of one shade it is all 0."""
    centred = pixels.astype(np.float32).ravel() - np.float32(pixels.mean())
    length = np.linalg.norm(centred)
    return centred / length if length else centred


def are_aligned(thumbnails: np.ndarray, labels: Sequence[str]) -> bool:
    """Whether the thumbnails (pictures, SIDE * SIDE) tell the classes as they are, without anything being moved."""
    classes = np.unique(labels, return_inverse=True)[1]
    likeness = thumbnails @ thumbnails.T
    np.fill_diagonal(likeness, -np.inf)
    same = (classes[likeness.argmax(axis=1)] == classes).mean()
    chance = ((np.bincount(classes) / len(classes)) ** 2).sum()
    return bool(same - chance > _MOST_ALIKE * (1 - chance))
