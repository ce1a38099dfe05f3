"""Looks at JSON lines: which keys the objects have, and of what their values are."""

import functools
from typing import Any

import numpy as np
import pyarrow as pa

from components.example_gen.left_out import Rejects
from components.example_gen.readers import json_lines
from pipeline.init import sample, table_files
from pipeline.init.sample import Block
from pipeline.init.source import Source
from pipeline.init.typed_table import Seen, Values

_MOST_READ = 1 << 28  # bytes of text; it is read more slowly than CSV


def look(path: str) -> Source:
    """The table in the files that `path` means; a key that is not in all objects is a column with missing values.

    Raises:
      ConfigError: no key can be used.
      DataError: a file cannot be read, or there is no object.
    """
    seen, rejects = Seen(), Rejects()
    objects = json_lines.objects(path, rejects.add)
    blocks = (Block(len(some), functools.partial(_picked, seen, some)) for some in objects)
    taken = sample.take(blocks, rejects, path, most_read=_MOST_READ)
    return seen.source("jsonl", path, taken, "JSON lines", table_files.by_split(path, json_lines.SUFFIXES))


def _picked(seen: Seen, objects: list[dict[str, Any]], wanted: np.ndarray) -> pa.RecordBatch:
    given = [objects[number] for number in wanted.tolist()]
    some = [json_lines.flat(each) for each in given]
    names = dict.fromkeys(name for each in some for name in each)
    columns = {name: _values([each.get(name) for each in some]) for name in names}
    for name in {name for each in given for name, value in each.items() if json_lines.is_nested(value)} & {*names, *seen.types}:
        seen.faults[name] = "in some lines an object, in others none: write one of them"
    return seen.text(columns)


def _values(values: list[Any]) -> Values:
    text = json_lines.as_text(values)
    kinds = {type(value) for value in values if value is not None}
    fault = next((_FAULTS[kind] for kind in (list, dict) if kind in kinds), "half a surrogate pair" if text.wrong else "")
    return Values(text.values, pa.float64() if kinds and kinds <= {int, float} else pa.string() if kinds else pa.null(), fault)


_FAULTS = {
    list: "a list, but a column holds one value a row",
    dict: 'bytes, {"b64": ...}: only a feature that is given by hand takes them',
}
