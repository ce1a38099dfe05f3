"""What was found in pictures, as people read it on a terminal of 80 columns."""

from collections import Counter

import numpy as np
from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.init.picture_config import Pictures
from pipeline.init.picture_sample import PictureSample
from pipeline.init.shown import line
from trainer.errors import printable

_MOST_CLASSES = 20


def found(pictures: Pictures) -> list[RenderableType]:
    """A line of how many there are, the classes with their pictures, and lines about the sample and about what is left out."""
    lines = [f"{len(pictures.files):,} pictures, {len(pictures.label.distinct):,} classes; {_divided(pictures)}."]
    return [*lines, _classes(pictures), *sample(pictures.sample), *_left_out(pictures)]


def _divided(pictures: Pictures) -> str:
    if not pictures.splits:
        return "no splits in the names of folders or files"
    where = "files" if pictures.has_prefixes else "folders"
    return f"splits by the names of {where}: {', '.join(pictures.splits)}"


def _classes(pictures: Pictures) -> RenderableType:
    splits = pictures.splits
    counts = Counter((picture.label, picture.split) for picture in pictures.files)
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    shown.add_column("class", overflow="fold", max_width=40)
    for heading in ("pictures", *splits):
        shown.add_column(heading, justify="right", no_wrap=True)
    labels = pictures.label.distinct.to_pylist()
    for label, count in zip(labels[:_MOST_CLASSES], pictures.label.counts.tolist(), strict=False):
        shown.add_row(Text(line(label)), f"{count:,}", *(f"{counts[label, name]:,}" for name in splits))
    if len(labels) > _MOST_CLASSES:
        shown.caption = f"and {len(labels) - _MOST_CLASSES:,} more classes"
    return shown


def unreadable(files: list[str]) -> str:
    """A warning of files that cannot be read, each with the reason."""
    examples = "; ".join(map(printable, files[:3]))
    return (
        f"{len(files):,} file{'s' if len(files) > 1 else ''} cannot be read: {examples}{'; ...' if len(files) > 3 else ''}. "
        "Mend or remove what cannot be read, or allow it: `data.max_unreadable`."
    )


def sample(sample: PictureSample) -> list[str]:
    """A line of sizes, formats and colours."""
    count = len(sample.heights)
    formats = ", ".join(f"{name} {number:,}" for name, number in sample.formats.most_common())
    colours = (
        "grey" if sample.grey == count else "colour" if not sample.grey else f"{count - sample.grey:,} in colour, {sample.grey:,} grey"
    )
    return [f"Looked at {count + len(sample.unreadable):,}: {_sizes(sample.heights, sample.widths)}; {formats}; {colours}."]


def _sizes(heights: np.ndarray, widths: np.ndarray) -> str:
    """Height x width of them, in pixels."""
    if np.ptp(heights) == 0 and np.ptp(widths) == 0:
        return f"all {heights[0]} x {widths[0]} pixels"
    usual = f"{np.median(heights):.0f} x {np.median(widths):.0f}"
    return f"usually {usual} pixels, heights {heights.min()} to {heights.max()}, widths {widths.min()} to {widths.max()}"


def _left_out(pictures: Pictures) -> list[str]:
    counts = Counter(pictures.left_out)
    listed = ", ".join(f"{count:,} {why}" for why, count in counts.most_common(5))
    return [f"Left out: {listed}."] if listed else []
