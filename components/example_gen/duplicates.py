"""Rows of one split that are in an earlier one too: found by hashes of their content, counted and, where the config says so, dropped.

beside each shard two hashes a row -> those of the earlier splits -> which rows of this one are among them -> counts, shards without them

Memory: 16 bytes a row for the hashes of one split, and as much again for those of the splits before it.
"""

import json
import os
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import tensorflow as tf

from components.example_gen import split
from components.example_gen.config import SplitsConfig
from components.example_gen.examples import OPTIONS
from components.example_gen.readers.rows import Part

_ODD = np.uint64(0x9E3779B97F4A7C15)  # so that features and label do not cancel each other out


class Found(NamedTuple):
    """What was found in one split.

    Attributes:
      rows: how many it had.
      same: how many of them are equal to a row of an earlier split, in every feature and in the label.
      relabelled: how many have the features of a row of an earlier split, but never with this label.
      dropped: how many were taken out: none, or those that are the same.
    """

    rows: int
    same: int
    relabelled: int
    dropped: int = 0


def are_possible(config: SplitsConfig, parts: Iterable[Part]) -> bool:
    """Whether equal rows may be in two splits: never where a hash of their content alone divides them."""
    return any(part.split for part in parts) or any(given is not None for given in (config.column, config.group, config.time))


def hashes(features: np.ndarray, label: pa.Array) -> np.ndarray:
    """uint64 (rows, 2): of the features, as given, and of features and label together."""
    labels = split.hashes_of_rows(pa.RecordBatch.from_arrays([label], names=["label"]))
    return np.stack([features, features * _ODD + labels], axis=1)


def write(values: np.ndarray, folder: str, split_name: str, shard: str) -> None:
    """Keeps the hashes of a shard's rows, in their order."""
    place = os.path.join(folder, split_name)
    tf.io.gfile.makedirs(place)
    with tf.io.gfile.GFile(os.path.join(place, shard), "wb") as file:
        file.write(values.tobytes())


def settle(shards: Mapping[str, str], folder: str, drop: bool) -> dict[str, Found]:
    """What each split but the first has of the splits before it; an earlier split keeps what a later one has too.

    Args:
      shards: the folder of each split's shards, in the splits' order.
      folder: where `write` has kept the hashes; gone afterwards.
      drop: whether shards are written anew without the rows that are the same.
    """
    found: dict[str, Found] = {}
    features = rows = np.zeros(0, np.uint64)
    for name, place in shards.items():
        by_shard = _read(os.path.join(folder, name))
        same = {shard: _is_in(each[:, 1], rows) for shard, each in by_shard.items()}
        if name != next(iter(shards)):
            relabelled = sum(int((_is_in(each[:, 0], features) & ~same[shard]).sum()) for shard, each in by_shard.items())
            count = sum(int(each.sum()) for each in same.values())
            found[name] = Found(sum(len(each) for each in by_shard.values()), count, relabelled, count if drop else 0)
        for shard, is_same in same.items():
            if drop and is_same.any():
                _keep(os.path.join(place, shard), ~is_same)
        features = _sorted([features, *(each[:, 0] for each in by_shard.values())])
        rows = _sorted([rows, *(each[:, 1] for each in by_shard.values())])
    if tf.io.gfile.isdir(folder):
        tf.io.gfile.rmtree(folder)
    return found


def notes(found: Mapping[str, Found]) -> list[str]:
    """Lines for a person."""
    lines = []
    for name, each in found.items():
        share, earlier = f"of {each.rows:,} rows of the split '{name}'", " or ".join(split.SPLITS[: split.SPLITS.index(name)])
        if each.dropped:
            lines.append(f"{each.dropped:,} {share} {'was' if each.dropped == 1 else 'were'} dropped: exactly the same in {earlier}.")
        elif each.same:
            lines.append(
                f"{each.same:,} {share} {'is' if each.same == 1 else 'are'} exactly the same in {earlier}, so it measures better than new "
                "rows would. `data.splits.duplicates: drop` leaves them out."
            )
        if each.relabelled:
            verb = "has" if each.relabelled == 1 else "have"
            lines.append(f"{each.relabelled:,} {share} {verb} the features of a row in {earlier}, but another label.")
    return lines


def to_json(found: Mapping[str, Found]) -> str:
    """As the artifact keeps it: {split: {same, relabelled, dropped}}."""
    return json.dumps({name: {"same": each.same, "relabelled": each.relabelled, "dropped": each.dropped} for name, each in found.items()})


def _read(folder: str) -> dict[str, np.ndarray]:
    """Each shard's hashes by its file's name, in order."""
    names = sorted(tf.io.gfile.listdir(folder)) if tf.io.gfile.isdir(folder) else []
    values = {}
    for name in names:
        with tf.io.gfile.GFile(os.path.join(folder, name), "rb") as file:
            values[name] = np.frombuffer(file.read(), np.uint64).reshape(-1, 2)
    return values


def _sorted(arrays: Iterable[np.ndarray]) -> np.ndarray:
    values = np.concatenate(list(arrays))
    values.sort()  # in its place: there may be millions
    return values


def _is_in(values: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    """Bool (rows,): which of the values are among the `ordered` ones; np.isin would sort those anew for every shard."""
    if not len(ordered):
        return np.zeros(len(values), bool)
    return ordered[np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)] == values


def _keep(shard: str, wanted: np.ndarray) -> None:
    """Writes the file of examples anew with the rows that are `wanted`, bool (rows,); one without any is no file."""
    if not wanted.any():
        tf.io.gfile.remove(shard)
        return
    unfinished = f"{shard}.new"
    with tf.io.TFRecordWriter(unfinished, OPTIONS) as file:
        for record, is_wanted in zip(tf.data.TFRecordDataset(shard, "GZIP").as_numpy_iterator(), wanted, strict=True):
            if is_wanted:
                file.write(record)
    tf.io.gfile.rename(unfinished, shard, overwrite=True)
