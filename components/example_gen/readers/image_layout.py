"""Which files of a folder are pictures, and the label and official split of each, by names alone.

names -> without what is hidden or no picture -> without the folders around it all -> split / class / file, or class / file
"""

import collections
import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import NamedTuple

from components.example_gen import split
from trainer.errors import DataError

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".gif"})
UNREADABLE = frozenset({".heic", ".heif", ".avif", ".tif", ".tiff"})  # photographs too: not to be left out unseen
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), split.TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "eval"), split.EVAL),
    **dict.fromkeys(("test", "testing"), split.TEST),
}
_PREFIX = re.compile(rf"({'|'.join(sorted(SPLIT_NAMES, key=len, reverse=True))})[-_. ]", re.IGNORECASE)
_LITTER = frozenset({"__macosx", "thumbs.db", "desktop.ini", "@eadir"})
_OUTSIDE = "outside of a class folder"


class Picture(NamedTuple):
    """A picture file.

    Attributes:
      name: below the folder or in the archive, with `/` between folders.
      label: the class.
      split: the official split, None where the row is divided.
    """

    name: str
    label: str
    split: str | None


class Layout(NamedTuple):
    """What is where.

    Attributes:
      pictures: in the order of the names given.
      left_out: how many files are not read, by why: `hidden`, `.txt`, ...
    """

    pictures: tuple[Picture, ...]
    left_out: dict[str, int]


def lay_out(names: Iterable[str], split_prefixes: bool = False) -> Layout:
    """The label of a picture is the name of its class folder, which is the first one below the folders that are around everything.

    Folders called train, val and test, or as SPLIT_NAMES has them, hold class folders and are official splits. With `split_prefixes` the
    split is the beginning of each file's name instead, `train_7.jpg`.

    Raises:
      DataError: there are no pictures in class folders, or `split_prefixes` is set and a name begins with no split.
    """
    left_out: collections.Counter[str] = collections.Counter()
    paths = []
    for name in names:
        if why := _why_not(name):
            left_out[why] += 1
        else:
            paths.append(name)
    top = _top(paths)
    folders = [tuple(name.split("/")[top:-1]) for name in paths]
    splits = set() if split_prefixes else _split_folders(folders)
    pictures = []
    for name, above in zip(paths, folders, strict=True):
        wanted = 2 if splits else 1
        if len(above) < wanted or (splits and above[0] not in splits):
            left_out["outside of the split's class folders" if splits else _OUTSIDE] += 1
            continue
        official = _prefix(name) if split_prefixes else SPLIT_NAMES[above[0].casefold()] if splits else None
        if split_prefixes and not official:
            raise DataError(f"Expected names of pictures that begin with their split, like train_7.jpg. Received: '{name}'.")
        pictures.append(Picture(name, unicodedata.normalize("NFC", above[wanted - 1]), official))
    if not pictures:
        found = ", ".join(f"{count:,} {why}" for why, count in left_out.most_common(5)) or "no files"
        raise DataError(f"Expected pictures in a folder for each class, CLASS/NAME.jpg. Received: {found}.")
    if not splits and not split_prefixes and {picture.label.casefold() for picture in pictures} <= SPLIT_NAMES.keys():
        raise DataError(
            f"Expected class folders inside of '{pictures[0].label}', SPLIT/CLASS/NAME.jpg. Received: pictures, like '{pictures[0].name}'."
        )
    return Layout(tuple(pictures), dict(left_out))


def pictures_of(names: Iterable[str]) -> list[str]:
    """The names of pictures that are not hidden, wherever they are, in order."""
    return sorted(name for name in names if not _why_not(name))


def has_split_prefixes(names: Iterable[str]) -> bool:
    """Whether `split_prefixes` seems right: each picture's name begins with a split, and there are several of them, train included."""
    found = {_prefix(name) for name in names if not _why_not(name)}
    return None not in found and split.TRAIN in found and len(found) > 1


def _prefix(name: str) -> str | None:
    match = _PREFIX.match(PurePosixPath(name).name)
    return SPLIT_NAMES[match[1].casefold()] if match else None


def _why_not(name: str) -> str:
    parts = name.split("/")
    if any(part.startswith(".") or part.casefold() in _LITTER for part in parts):
        return "hidden"
    suffix = PurePosixPath(name).suffix.casefold()
    return "" if suffix in SUFFIXES | UNREADABLE else suffix or "without a suffix"


def _top(paths: list[str]) -> int:
    """How many folders are around everything, and are neither a class nor a split."""
    shortest = min((name.split("/")[:-1] for name in paths), key=len, default=[])
    top = 0
    while top < len(shortest) - 1:
        if shortest[top].casefold() in SPLIT_NAMES or any(name.split("/")[top] != shortest[top] for name in paths):
            break
        top += 1
    return top


def _split_folders(folders: list[tuple[str, ...]]) -> set[str]:
    """Those of the first folders that are splits: a train folder and another one, or all there are, with class folders inside."""
    named = {above[0] for above in folders if len(above) > 1 and above[0].casefold() in SPLIT_NAMES}
    splits = {SPLIT_NAMES[name.casefold()] for name in named}
    first = {above[0] for above in folders if above}
    return named if (split.TRAIN in splits and len(splits) > 1) or named == first else set()
