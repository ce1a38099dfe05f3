"""Rows as they were before Transform, which `components.trainer` tells the Trainer of."""

import tensorflow as tf

RAW_FILES = "raw_files"  # the key of `custom_config` with the pattern of each split's raw files


def raw_rows(pattern: str | None, most: int) -> list[bytes]:
    """The first rows, serialized tf.Examples, of the gzipped TFRecords that match; none where nobody gave any."""
    files = sorted(tf.io.gfile.glob(pattern)) if pattern else []
    return list(tf.data.TFRecordDataset(files, "GZIP").take(most).as_numpy_iterator())
