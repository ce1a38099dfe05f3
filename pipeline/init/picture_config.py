"""The text of a config of pictures: every choice that was made, and behind it why."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from components.example_gen import split
from components.example_gen.readers.image_layout import Picture
from components.example_gen.readers.rows import Reject
from pipeline.init import aligned, defaults, gate, newest_span, task
from pipeline.init.column import Column
from pipeline.init.picture_sample import PictureSample
from pipeline.init.proposal import Request
from pipeline.init.relative import path_line
from pipeline.init.task import Target
from pipeline.init.yaml_lines import value

_EVAL_SHARE = 10  # one picture of so many is of the eval split where nothing says it
_LEAST, _MOST, _STEP = 28, 96, 4  # pixels on a side: more take long without a GPU


class Pictures(NamedTuple):
    """What was found of pictures, and chosen.

    Attributes:
      files: they all.
      label: their classes, as a column.
      target: what is to be learnt.
      has_prefixes: whether their names begin with the split.
      left_out: how many files are no pictures of a class, by why.
      refused: files of an archive that are not read, and why.
      sample: some of them, decoded.
    """

    files: tuple[Picture, ...]
    label: Column
    target: Target
    has_prefixes: bool
    left_out: dict[str, int]
    refused: tuple[Reject, ...]
    sample: PictureSample

    @property
    def splits(self) -> list[str]:
        """The official ones."""
        there = {picture.split for picture in self.files}
        return [name for name in split.SPLITS if name in there]


def size(sample: PictureSample) -> tuple[int, int]:
    """(height, width) of the shape that is usual, no longer than 96 pixels, each side at least 28 and a multiple of 4."""
    usual = np.array([np.median(sample.heights), np.median(sample.widths)])
    scaled = usual * min(1.0, _MOST / usual.max())
    height, width = np.clip((scaled / _STEP).round().astype(int) * _STEP, _LEAST, _MOST).tolist()
    return height, width


def text(request: Request, pictures: Pictures) -> str:
    """The YAML."""
    return "\n".join([*_data(request, pictures), *_rest(request, pictures)]) + "\n"


def _data(request: Request, pictures: Pictures) -> Iterator[str]:
    classes = len(pictures.label.distinct)
    yield f"# Written by `tapeline init` from {len(pictures.files):,} pictures of {classes:,} classes."
    yield "# Every key, its meaning and its default: docs/settings.md, or `tapeline config show`."
    yield f"name: {request.name}"
    yield ""
    yield "data:"
    yield "  format: images"
    yield path_line(request.path, request)
    yield from newest_span.lines(request)
    if pictures.refused or pictures.sample.unreadable:
        yield "  # max_unreadable: 0.01  # there are files that cannot be read"
    lacking = [name for name in split.SPLITS if name not in pictures.splits]
    if pictures.has_prefixes:
        yield "  splits:"
        yield "    prefixes: true  # each file's name begins with its split"
    elif not pictures.splits:
        yield "  splits: {train: 8, eval: 1, test: 1}  # exact copies of a picture stay in one split"
    elif not lacking:
        yield "  # splits: as the folders train, eval (or val) and test have them"
    if pictures.splits and lacking:
        shares = "" if pictures.has_prefixes else "  splits: {train: 8, eval: 1, test: 1}"
        yield f"{shares}  # shares of `train` become {' and '.join(lacking)}, which no picture is said to be in"
    settings = task.settings(pictures.label, pictures.target)
    if len(settings) > 1:
        positive = ["positive is the class that is looked for"] if "positive" in settings else []
        yield ""
        yield f"task: {value(settings)}  # {'; '.join([*positive, *task.notes(settings)])}"


def _rest(request: Request, pictures: Pictures) -> Iterator[str]:
    sample = pictures.sample
    channels = sample.channels
    seen = f"{len(sample.heights):,} pictures that were looked at"
    yield ""
    yield "preprocessing:"
    usual = f"{np.median(sample.heights):.0f} x {np.median(sample.widths):.0f}"
    yield f"  image_size: {value(list(size(sample)))}  # height, width; usual are {usual}; smaller trains faster, larger shows more"
    yield f"  channels: {channels}  # {f'all {seen} are grey' if channels == 1 else 'colours'}"
    yield "  normalize: standardize"
    yield ""
    yield "trainer:"
    yield "  loop: fit  # or gradient_tape"
    recipe = defaults.for_picture_files(*_shares(pictures), aligned.are_aligned(sample.thumbnails, sample.labels))
    yield from recipe_lines(recipe)
    yield ""
    yield from gate.lines(pictures.label, pictures.target)
    yield ""
    yield "schema:"
    yield f"  path: {request.name}.schema.pbtxt  # inferred until `tapeline schema accept` has written it"


def recipe_lines(recipe: Mapping[str, Any]) -> Iterator[str]:
    """A trainer's settings for pictures."""
    moved = (
        "in training alone, for things may be anywhere in a picture" if recipe["augment"] else "a class's pictures are alike as they are"
    )
    whys = {"augment": f"  # {moved}"}
    yield from (f"  {key}: {value(each)}{whys.get(key, '')}" for key, each in recipe.items())


def _shares(pictures: Pictures) -> tuple[int, int]:
    """How many pictures the train split and the eval split have, about."""
    counts = Counter(picture.split for picture in pictures.files)
    rest = counts[None] + counts[split.TRAIN]
    judged = counts[split.EVAL] or rest // _EVAL_SHARE
    return rest - (0 if counts[split.EVAL] else judged), judged
