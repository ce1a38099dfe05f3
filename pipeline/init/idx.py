"""Proposes a config for a folder of IDX files, MNIST's format."""

from pathlib import Path

import numpy as np

from components.example_gen.readers import idx
from pipeline.init import defaults, newest_span
from pipeline.init.proposal import Proposal, Request
from pipeline.init.relative import path_line
from pipeline.init.yaml_lines import value
from trainer.errors import ConfigError

_ROWS = 10_000  # at a time


def recognises(path: str) -> bool:
    """Whether it is a folder of such files."""
    return Path(path).is_dir() and any("idx3-ubyte" in entry.name for entry in Path(path).iterdir())


def propose(request: Request) -> Proposal:
    """The config for the folder that the request names.

    Raises:
      ConfigError: one of a pair of files is missing, a label or another task is asked for, or all rows are of one class.
      DataError: a file is broken.
    """
    if request.label is not None or request.task not in (None, "multiclass"):
        option = "--label" if request.label is not None else "--task"
        raise ConfigError(f"Expected no {option} with IDX files, whose rows are a picture and the number of its class. Leave it out.")
    parts = idx.open_images(request.path)
    found_labels: set[int] = set()
    for part in parts:
        for chunk in part.chunks(_ROWS):
            found_labels.update(np.unique(chunk.labels).tolist())
            height, width = chunk.images.shape[1:3]
    if len(found_labels) < 2:
        raise ConfigError(
            f"Expected pictures of at least two classes in '{request.path}'. Received: the label {found_labels.pop()} in every row. "
            "Give data with another class."
        )
    highest = max(found_labels)
    classes = highest + 1
    rows = {part.split or "train": part.rows for part in parts}
    official = "test" in rows
    found = f"IDX: {', '.join(f'{count:,} {name}' for name, count in rows.items())} pictures of {height} x {width}, {classes} classes."
    return Proposal(_text(request, classes, (height, width), official), [found], [])


def _text(request: Request, classes: int, size: tuple[int, int], official: bool) -> str:
    lines = [
        "# Written by `tapeline init`. Every key, its meaning and its default: docs/settings.md, or `tapeline config show`.",
        f"name: {request.name}",
        "",
        "data:",
        "  format: idx",
        path_line(request.path, request),
        *newest_span.lines(request),
    ]
    if official:
        lines.append("  splits: {train: 11, eval: 1}  # the official test pictures are the test split")
    lines += [
        "",
        "schema:",
        f"  path: {request.name}.schema.pbtxt  # inferred until `tapeline schema accept` has written it",
        "",
        "preprocessing:",
        f"  image_size: {value(list(size))}",
        "",
        "trainer:",
        f"  classes: {classes}",
        *(f"  {key}: {value(each)}" for key, each in defaults.for_pictures().items()),
        "",
        "evaluator:",
        "  min_accuracy: 0.9",
        "",
    ]
    return "\n".join(lines)
