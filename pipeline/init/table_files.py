"""Which CSV files a path means, and which files of a folder, of whichever format, are named after splits."""

import collections
import fnmatch
import glob
import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from components.example_gen import split
from components.example_gen.readers.data_files import SHARD, files_at
from trainer.errors import ConfigError

_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".tab", ".txt", ".txt.gz")
_BETWEEN = re.compile(r"[-_. ]+")  # the words of a name
# A word that tells the files of one split apart; Hugging Face writes 16 digits of a hash.
_NUMBER = re.compile(r"(?<![^-_. ])(\d+|[0-9a-f]{16})(?![^-_. ])")


class Files(NamedTuple):
    """The files of a table.

    Attributes:
      paths: of them all, none where there are none.
      place: they, as `data.path` says it, relative to the working folder.
      by_split: each split's files, as `data.splits.files` says it; empty where rows are divided.
    """

    paths: list[Path]
    place: str
    by_split: dict[str, str]


def find(path: str) -> Files:
    """The CSV files that `path` means; of a folder those with the suffix that most of its files have, in it or in folders of splits."""
    if Path(path).is_file():
        return Files([Path(path)], path, {})
    if not Path(path).is_dir():
        return Files([Path(found) for found in sorted(glob.glob(path, recursive=True)) if Path(found).is_file()], path, {})  # noqa: PTH207
    for below in ("", "*/"):
        by_suffix = {suffix: sorted(Path(path).glob(f"{below}*{suffix}")) for suffix in _SUFFIXES}
        suffix = max(by_suffix, key=lambda each: len(by_suffix[each]))
        paths = by_suffix[suffix]
        names = [found.relative_to(path).as_posix() for found in paths]
        if by_split := named_after_splits(names):
            patterns = {name: each if each.endswith(suffix) else f"{each}/*{suffix}" for name, each in by_split.items()}
            return Files(paths, path, patterns)
        if paths and not below:
            return Files(paths, os.path.join(glob.escape(path), f"*{suffix}"), {})
    return Files([], path, {})


def by_split(path: str, suffixes: tuple[str, ...]) -> dict[str, str]:
    """Each split's file, folder or pattern below the folder `path`, as `data.splits.files` says it; empty where none is named after one.

    All files with these suffixes are looked at, as a reader does.
    """
    if not Path(path).is_dir():
        return {}
    try:
        return named_after_splits(list(files_at(path, suffixes, "files")))
    except ConfigError:  # there are none
        return {}


def named_after_splits(names: Sequence[str]) -> dict[str, str]:
    """{split: file, folder or pattern} where all of the files `names` are in folders, or have names, that differ by the split alone."""
    found: dict[str, set[str]] = collections.defaultdict(set)
    others = set()
    for name in names:
        top, _, below = name.partition("/")
        words = _BETWEEN.split(_NUMBER.sub("", SHARD.sub("", top.casefold())))
        named = split.named(pa.array(words, pa.string()), "").tolist()
        if sum(map(bool, named)) != 1:
            return {}
        others.add((bool(below), *(word for word, each in zip(words, named, strict=True) if word and not each)))
        found[next(filter(None, named))].add(top)
    if split.TRAIN not in found or len(found) < 2 or len(others) > 1:
        return {}
    patterns = {name: _pattern(found[name]) for name in split.SPLITS if name in found}
    tops = set().union(*found.values())
    is_exact = all({top for top in tops if fnmatch.fnmatchcase(top, pattern)} == found[name] for name, pattern in patterns.items())
    return patterns if is_exact else {}


def _pattern(names: Collection[str]) -> str:
    """A pattern of names that differ by numbers; of one name itself."""
    first = glob.escape(min(names))
    return first if len(names) == 1 else _NUMBER.sub("*", first)
