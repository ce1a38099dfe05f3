"""Which CSV files a path means: a file, a pattern, or a folder, whose files may be named after splits."""

import glob
import os
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from components.example_gen import split

_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".tab", ".txt", ".txt.gz")


class Files(NamedTuple):
    """The files of a table.

    Attributes:
      paths: of them all, none where there are none.
      place: they, as `data.path` says it, relative to the working folder.
      by_split: each split's file, as `data.splits.files` says it; empty where rows are divided.
    """

    paths: list[Path]
    place: str
    by_split: dict[str, str]


def find(path: str) -> Files:
    """The files that `path` means; of a folder those with the suffix that most of its files have."""
    if Path(path).is_file():
        return Files([Path(path)], path, {})
    if not Path(path).is_dir():
        return Files([Path(found) for found in sorted(glob.glob(path, recursive=True)) if Path(found).is_file()], path, {})  # noqa: PTH207
    by_suffix = {suffix: sorted(Path(path).glob(f"*{suffix}")) for suffix in _SUFFIXES}
    suffix = max(by_suffix, key=lambda each: len(by_suffix[each]))
    paths = by_suffix[suffix]
    names = split.named(pa.array([found.name.removesuffix(suffix) for found in paths], pa.string()), "").tolist()
    if split.TRAIN in names and "" not in names and len(set(names)) == len(names) > 1:
        by_split = {name: paths[names.index(name)].name for name in split.SPLITS if name in names}
        return Files([Path(path) / name for name in by_split.values()], path, by_split)
    return Files(paths, os.path.join(glob.escape(path), f"*{suffix}"), {})
