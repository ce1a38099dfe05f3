"""The rows of a split, read from its TFRecords one at a time."""

from collections.abc import Iterator

import tensorflow as tf

Value = bytes | int | float


def rows(split_uri: str) -> Iterator[tf.train.Example]:
    """Every tf.Example of the folder of one split, in the order of its files."""
    return map(tf.train.Example.FromString, records(split_uri))


def records(split_uri: str) -> Iterator[bytes]:
    """The same, serialized as they were written."""
    files = sorted(tf.io.gfile.glob(f"{split_uri}/*.gz"))
    yield from tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator()


def values(example: tf.train.Example, name: str) -> list[Value]:
    """What the row holds in that column; none where it is missing."""
    feature = example.features.feature
    if name not in feature:
        return []
    kind = feature[name].WhichOneof("kind")
    return list(getattr(feature[name], kind).value) if kind else []
