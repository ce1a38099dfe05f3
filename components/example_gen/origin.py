"""Where rows come from: the file and line of the raw data in which a tf.Example stands, found by reading that data once more.

ingestion: settings and fingerprint -> a note beside the splits
later: the note -> the same files with the same reader -> the same splits and tf.Examples -> those that are asked for, with their place

A good run asks for none, so it costs nothing, and no example carries its place with it.
"""

import json
import os
from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa
import tensorflow as tf

from components.example_gen import examples as tf_examples
from components.example_gen import source
from components.example_gen.assignment import Assignment
from components.example_gen.columns import Columns
from components.example_gen.config import DataConfig
from components.example_gen.readers.rows import Part, place
from trainer.errors import TapelineError

_NOTE = "origin.json"


def note(examples_uri: str, config: DataConfig, columns: Columns, fingerprint: str) -> None:
    """Notes beside the splits what they were read from."""
    with tf.io.gfile.GFile(os.path.join(examples_uri, _NOTE), "w") as file:
        file.write(json.dumps({"data": config.to_json(), "columns": columns.to_json(), "fingerprint": fingerprint}))


def fingerprint(examples_uri: str) -> str:
    """That of the raw data, by which a run on it again is known; empty where it was never noted."""
    try:
        return str(_noted(examples_uri)["fingerprint"])
    except (OSError, ValueError, tf.errors.OpError):
        return ""


def places(examples_uri: str, wanted: Mapping[str, Collection[bytes]]) -> dict[tuple[str, bytes], str]:
    """`line 3 of penguins.csv` by split and tf.Example: the first place where such a row of that split stands.

    Nothing is raised: where the raw data has changed, cannot be read from here or was never noted, there are fewer places, or none.

    Args:
      examples_uri: the folder of the splits.
      wanted: serialized tf.Examples by their split.
    """
    missing = {(split, example) for split, examples in wanted.items() for example in examples}
    found: dict[tuple[str, bytes], str] = {}
    if not missing:
        return found
    try:
        noted = _noted(examples_uri)
        config, columns = DataConfig.from_json(noted["data"]), Columns.from_json(noted["columns"])
        with source.open_data(config, columns) as (parts, read):
            if read == noted["fingerprint"]:
                _find(parts, Assignment.of(parts, config.splits, columns), missing, found)
    except (TapelineError, OSError, ValueError, tf.errors.OpError):
        pass  # an anomaly is told without its place rather than not at all
    return found


def _noted(examples_uri: str) -> dict[str, str]:
    with tf.io.gfile.GFile(os.path.join(examples_uri, _NOTE)) as file:
        return json.load(file)


def _find(parts: list[Part], assignment: Assignment, missing: set[tuple[str, bytes]], found: dict[tuple[str, bytes], str]) -> None:
    """Moves what is found from `missing` to `found`, until there is no more."""
    for part in parts:
        for rows in part.read(lambda rejected: None):
            batch, splits, _ = assignment.assigned(rows, part.split)
            numbers = np.flatnonzero(np.isin(splits, [split for split, _ in missing]))
            for number, example in zip(numbers.tolist(), tf_examples.encode(batch.take(pa.array(numbers))), strict=True):
                key = (str(splits[number]), example)
                if key in missing:
                    missing.remove(key)
                    found[key] = place(part, rows, number)
            if not missing:
                return
            del rows  # before the next ones are read
