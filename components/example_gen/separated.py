"""Labels that stand in one text, `red;round` -> lists of them, ["red", "round"]."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen.columns import Columns


def labels(batch: pa.RecordBatch, columns: Columns) -> pa.RecordBatch:
    """The batch with the label as lists; spaces around a name are no part of it, and an empty name is none.

    A missing value is null, or the empty list where `columns.empty_label` says so.
    """
    arrays = dict(zip(batch.schema.names, batch.columns, strict=True))
    texts = arrays[columns.label]
    arrays[columns.label] = split(pc.fill_null(texts, "") if columns.empty_label else texts, columns.separator or "")
    return pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))


def split(texts: pa.Array, separator: str) -> pa.Array:
    """list<string> of string (rows,), null of null."""
    lists = pc.split_pattern(texts, separator)
    names = pc.utf8_trim_whitespace(lists.flatten())
    is_name = pc.not_equal(names, "").to_numpy(zero_copy_only=False)
    ends = np.cumsum(pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False))
    kept = np.concatenate([[0], np.cumsum(is_name)])[np.concatenate([[0], ends])].astype(np.int32)
    is_null = np.append(pc.is_null(lists).to_numpy(zero_copy_only=False), False)
    return pa.ListArray.from_arrays(pa.array(kept, mask=is_null), names.filter(pa.array(is_name)))
