"""Several columns of 0 and 1, `toxic,obscene` -> one label, the list of the names of those that are 1, ["toxic"].

the columns as text, of whichever format -> 1, 0, missing, or a value that is none -> names; rows with such a value are told and left out
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen.columns import Columns
from components.example_gen.readers.cells import Column
from components.example_gen.readers.rows import Part, Reject, Rows, without

_YES, _NO = ("1", "1.0", "true"), ("0", "0.0", "false")  # in small letters


def with_label(parts: Iterable[Part], columns: Columns) -> list[Part]:
    """The parts with the label `columns.label` that its columns `columns.marks` make.

    A row in which one of them has no value has no label: nobody has said that it is a no.
    """
    return [dataclasses.replace(part, read=functools.partial(_read, part, columns)) for part in parts]


def read(texts: pa.Array) -> Column:
    """Bool (rows,) of string (rows,), null where missing."""
    plain = pc.utf8_lower(pc.utf8_trim_whitespace(texts))
    is_yes, is_no = (pc.is_in(plain, pa.array(words)) for words in (_YES, _NO))
    is_wrong = pc.and_(pc.is_valid(texts), pc.invert(pc.or_(is_yes, is_no)))
    wrong = {row: f"'{texts[row].as_py()}' is neither 0 nor 1" for row in np.flatnonzero(is_wrong.to_numpy(zero_copy_only=False)).tolist()}
    return Column(pc.if_else(pc.or_(is_yes, is_no), is_yes, pa.scalar(None, pa.bool_())), wrong)


def names(given: Sequence[str], columns: Sequence[pa.Array]) -> pa.Array:
    """list<string> (rows,): the names `given` of those bool `columns` (rows,) that are true, null where one of them is null."""
    is_missing = np.any([column.is_null().to_numpy(zero_copy_only=False) for column in columns], axis=0)
    is_yes = np.stack([pc.fill_null(column, False).to_numpy(zero_copy_only=False) for column in columns], axis=1) & ~is_missing[:, None]
    ends = np.concatenate([[0], np.cumsum(is_yes.sum(axis=1))]).astype(np.int32)
    named = pa.array(given, pa.string()).take(pa.array(np.nonzero(is_yes)[1]))
    return pa.ListArray.from_arrays(pa.array(ends, mask=np.append(is_missing, False)), named)


def _read(part: Part, columns: Columns, reject: Callable[[Reject], None]) -> Iterator[Rows]:
    """As `Part.read`."""
    for rows in part.read(reject):
        found = [read(rows.batch.column(name)) for name in columns.marks]
        reasons: dict[int, str] = {}
        for name, column in zip(columns.marks, found, strict=True):
            for row, reason in column.wrong.items():
                reasons.setdefault(row, f"column '{name}': {reason}")
        label = names(columns.marks, [column.values for column in found])
        batch = pa.RecordBatch.from_arrays([*rows.batch.columns, label], names=[*rows.batch.schema.names, columns.label])
        good = without(rows._replace(batch=batch), reasons, reject)
        del rows, batch  # before the next ones are read
        if len(good.lines):
            yield good
