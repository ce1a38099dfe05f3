"""A table that was looked at, of whichever format: what the proposal is made of."""

from typing import NamedTuple

from components.example_gen.readers.dialect import Dialect
from pipeline.init.column import Column
from pipeline.init.picture_column import PictureColumn
from pipeline.init.picture_sample import PictureSample
from pipeline.init.sample import Sample


class Source(NamedTuple):
    """What a format's `look` gives.

    Attributes:
      format: as `data.format` says it.
      place: the files, as `data.path` says it, relative to the working folder.
      taken: the sample.
      columns: those that a feature or the label can be of, in the data's order.
      unusable: the other columns, and why, a clause for people.
      by_split: each split's file, as `data.splits.files` says it; empty where rows are divided.
      dialect: how text files are written; None of a format that says so itself.
      reasons: how the data was found to be written, in clauses for people.
      doubts: where another answer is as good, in sentences for people.
      picture: the columns that name pictures, None where none does.
      seen: some of those pictures.
    """

    format: str
    place: str
    taken: Sample
    columns: list[Column]
    unusable: dict[str, str]
    by_split: dict[str, str]
    dialect: Dialect | None
    reasons: tuple[str, ...]
    doubts: tuple[str, ...]
    picture: PictureColumn | None = None
    seen: PictureSample | None = None
