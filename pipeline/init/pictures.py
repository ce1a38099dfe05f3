"""Proposes a config for pictures in class folders, on the disk or in an archive.

files -> classes and splits by their names -> some pictures decoded -> size and channels -> text, and what to print
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from components.example_gen.image_columns import PICTURE_LABEL
from components.example_gen.readers import image_files, zipped
from components.example_gen.readers.dialect import Dialect
from components.example_gen.readers.image_layout import SUFFIXES, UNREADABLE, Picture, has_split_prefixes
from components.example_gen.readers.picture import PictureSettings
from pipeline.init import picture_config, picture_sample, pictures_shown, task
from pipeline.init.column import Column
from pipeline.init.picture_config import Pictures
from pipeline.init.proposal import Proposal, Request
from trainer.errors import ConfigError

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_LOOKED_AT = 2000  # files of a folder
_FEW = 20  # pictures of a class, of which a split gets two
_MANY_TIMES = 10  # as many pictures of one class as of another


def recognises(path: str) -> bool:
    """Whether it is a picture, an archive of more than a table, or a folder with more pictures than other files."""
    place = Path(path)
    if not place.is_dir():
        return place.suffix.lower() in SUFFIXES or (place.name.lower().endswith(_ARCHIVES) and not zipped.table_in(place))
    found = [name.suffix.lower() in SUFFIXES | UNREADABLE for name, _ in zip(_below(place), range(_LOOKED_AT), strict=False)]
    return sum(found) * 2 > len(found)


def _below(folder: Path) -> Iterator[Path]:
    for _, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(name) for name in names if not name.startswith("."))


def propose(request: Request) -> Proposal:
    """The config for the folder or archive that the request names.

    Raises:
      ConfigError: there is one class alone, a label is asked for, or the task does not fit.
      DataError: there are no pictures in class folders, none that can be read, or an archive is broken.
    """
    path = Path(request.path)
    _check(request, path)
    layout, refused = image_files.find(path)
    has_prefixes = all(picture.split is None for picture in layout.pictures) and has_split_prefixes(each.name for each in layout.pictures)
    if has_prefixes:
        layout, refused = image_files.find(path, split_prefixes=True)
    label = _labels(layout.pictures)
    if len(label.distinct) < 2:
        raise ConfigError(
            f"Expected pictures of at least two classes, a folder each, in '{request.path}'. Received: {label.rows:,} pictures of "
            f"one, '{label.distinct[0].as_py()}'. Name the folder above, or add another class."
        )
    pictures = Pictures(
        files=layout.pictures,
        label=label,
        target=task.choose(label, request.task or "multiclass"),
        has_prefixes=has_prefixes,
        left_out=layout.left_out,
        refused=refused,
        sample=picture_sample.read(path, layout.pictures, PictureSettings()),
    )
    return Proposal(picture_config.text(request, pictures), pictures_shown.found(pictures), _warnings(pictures))


def _check(request: Request, path: Path) -> None:
    if request.label is not None or request.task not in (None, "binary", "multiclass"):
        option = "--label" if request.label is not None else f"--task {request.task}"
        raise ConfigError(f"Expected no {option} with pictures, whose label is the class folder's name. Leave it out.")
    if path.is_file() and path.suffix.lower() in SUFFIXES:
        raise ConfigError(f"Expected a folder of class folders of pictures, or an archive of one. Received: '{path}', one picture.")


def _labels(pictures: Iterable[Picture]) -> Column:
    return Column(PICTURE_LABEL, pa.array([picture.label for picture in pictures], pa.string()), Dialect())


def _warnings(pictures: Pictures) -> list[str]:
    label, sample = pictures.label, pictures.sample
    found = []
    if bad := [f"{each.file}: {each.reason}" for each in pictures.refused] + sample.unreadable:
        found.append(pictures_shown.unreadable(bad))
    few = [(name, count) for name, count in zip(label.distinct.to_pylist(), label.counts.tolist(), strict=True) if count < _FEW]
    if few:
        named = ", ".join(f"'{name}' {count}" for name, count in few[:5]) + (f" and {len(few) - 5:,} more" if len(few) > 5 else "")
        found.append(f"Classes with fewer than {_FEW} pictures, of which hardly any are tested: {named}.")
    found += _imbalance(label)
    if len(label.distinct) > task.MOST_CLASSES:
        found.append(f"There are {len(label.distinct):,} classes: more than {task.MOST_CLASSES:,} are rarely meant.")
    return found + _lacking_classes(pictures.files)


def _imbalance(label: Column) -> list[str]:
    most, least = label.counts[0], label.counts[-1]
    if task.is_unbalanced(label) or most < _MANY_TIMES * least:
        return task.imbalance(label)
    names = label.distinct.to_pylist()
    return [f"Classes are unbalanced: {most:,} pictures are of '{names[0]}', {least:,} of '{names[-1]}'."]


def _lacking_classes(pictures: Iterable[Picture]) -> list[str]:
    """Classes that an official split has, but not the train split."""
    there = Counter((picture.split, picture.label) for picture in pictures)
    trained = {label for name, label in there if name == "train"}
    lacking = sorted({label for name, label in there if name is not None} - trained) if trained else []
    named = ", ".join(f"'{name}'" for name in lacking[:5])
    return [f"Classes without a picture in the train split, which cannot be learnt: {named}."] if lacking else []
