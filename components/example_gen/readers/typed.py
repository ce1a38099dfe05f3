"""Columns that have a type of their own -> the type that is wanted; values that do not fit are told row by row."""

import math
from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen.readers import cells
from components.example_gen.readers.cells import Column
from components.example_gen.readers.rows import Reject, Rows

_SHOWN = 40  # characters of a value in a message


def converts(given: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether values of one type may be of the other."""
    given = _plain(given)
    if is_list(wanted):
        return is_list(given) and converts(given.value_type, wanted.value_type)
    if is_list(given) or pa.types.is_nested(given):
        return False
    if pa.types.is_null(given) or _is_text(given) or _is_bytes(given):
        return True
    if pa.types.is_binary(wanted) or pa.types.is_duration(given):
        return False
    is_numeric = is_number(given) or pa.types.is_boolean(given)
    return is_numeric or pa.types.is_string(wanted) or (pa.types.is_integer(wanted) and is_time(given))


def is_number(kind: pa.DataType) -> bool:
    """Whether its values are numbers."""
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def is_time(kind: pa.DataType) -> bool:
    """Whether its values are points in time."""
    return pa.types.is_timestamp(kind) or pa.types.is_date(kind)


def is_list(kind: pa.DataType) -> bool:
    """Of whichever sort."""
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)


def converted(array: pa.Array, wanted: pa.DataType, order: cells.TimeOrder = "year_first") -> Column:
    """`array` as `wanted`, where `converts` says so.

    Times become seconds since 1970, UTC. Text becomes a number or, for int64, a time as `cells.py` reads them, whose dates are written in
    `order`. Bytes are such text where they are UTF-8. NaN is a missing value, and a missing number within a list is NaN.
    """
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if is_list(wanted) and not pa.types.is_null(array.type):
        return _lists(array, wanted)
    given = array.type
    if given == wanted and not pa.types.is_floating(wanted):
        return Column(array, {})
    if pa.types.is_null(given):
        return Column(pa.nulls(len(array), wanted), {})
    if _is_text(given) and pa.types.is_floating(wanted):
        return cells.numbers(array.cast(pa.string()))
    if _is_text(given) and pa.types.is_integer(wanted):
        return cells.times(array.cast(pa.string()), order)
    if _is_bytes(given) and not pa.types.is_string(wanted) and not pa.types.is_binary(wanted):
        text = _cast(array, pa.string())
        column = converted(text.values, wanted, order)
        return Column(column.values, column.wrong | text.wrong)
    if pa.types.is_string(wanted) and (pa.types.is_floating(given) or pa.types.is_decimal(given)):
        array = _plain_numbers(array)
    if pa.types.is_integer(wanted) and is_time(given):
        array = pc.floor_temporal(array.cast(pa.timestamp("us", getattr(given, "tz", None)), safe=False), unit="second")
        array = array.cast(pa.timestamp("s", getattr(given, "tz", None)))
    column = _cast(array, wanted)
    if not pa.types.is_floating(wanted):
        return column
    numbers = column.values.to_numpy(zero_copy_only=False)
    wrong = {row: f"'{numbers[row]}' is no finite number" for row in np.flatnonzero(np.isinf(numbers)).tolist()}
    return Column(pa.array(numbers, mask=~np.isfinite(numbers)), column.wrong | wrong)


def _plain_numbers(array: pa.Array) -> pa.Array:
    """Numbers that Arrow can write as text, without NaN. Not every version of it writes decimals and float16."""
    if pa.types.is_decimal(array.type):
        return array.cast(pa.float64())
    array = array.cast(pa.float32()) if pa.types.is_float16(array.type) else array
    return pc.if_else(pc.is_nan(array), None, array)


def _lists(array: pa.Array, wanted: pa.DataType) -> Column:
    if pa.types.is_fixed_size_list(array.type):
        array = pa.array(array.to_pylist(), pa.list_(array.type.value_type))
    is_null = pc.is_null(array).to_numpy(zero_copy_only=False)
    ends = np.cumsum(pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False))
    inner = converted(array.flatten(), wanted.value_type)
    if pa.types.is_floating(wanted.value_type):
        inner = Column(pc.fill_null(inner.values, math.nan), inner.wrong)
    missing = dict.fromkeys(np.flatnonzero(pc.is_null(inner.values).to_numpy(zero_copy_only=False)).tolist(), "a missing value in a list")
    wrong = {int(np.searchsorted(ends, number, side="right")): reason for number, reason in (missing | inner.wrong).items()}
    is_null[list(wrong)] = True
    offsets = pa.array(np.concatenate([[0], ends]).astype(np.int32), mask=np.append(is_null, False))
    return Column(pa.ListArray.from_arrays(offsets, inner.values), wrong)


def good_rows(file: str, columns: Mapping[str, Column], lines: np.ndarray, reject: Callable[[Reject], None]) -> Rows:
    """The rows whose values all fit, int64 `lines` (rows,) theirs; tells of the others."""
    reasons: dict[int, str] = {}
    for name, column in columns.items():
        for row, reason in column.wrong.items():
            reasons.setdefault(row, f"column '{name}': {reason}")
    batch = pa.RecordBatch.from_arrays([column.values for column in columns.values()], names=list(columns))
    if reasons:
        for row in sorted(reasons):
            reject(Reject(file, int(lines[row]), reasons[row]))
        is_good = np.ones(len(lines), bool)
        is_good[list(reasons)] = False
        batch, lines = batch.filter(pa.array(is_good)), lines[is_good]
    return Rows(batch, lines, file)


def _cast(array: pa.Array, wanted: pa.DataType) -> Column:
    """As Arrow casts, all at once; where that fails, value by value."""
    if pa.types.is_boolean(array.type) and not pa.types.is_string(wanted):
        array = array.cast(pa.uint8())
    if pa.types.is_fixed_size_binary(array.type):
        array = array.cast(pa.binary())
    is_safe = not pa.types.is_floating(wanted)  # a float64 is near enough to any number
    try:
        return Column(array.cast(wanted, safe=is_safe), {})
    except pa.ArrowInvalid:
        if len(array) == 1:
            return Column(pa.nulls(1, wanted), {0: f"'{_short(array[0].as_py())}' is no {_NAMES.get(wanted, 'such value')}"})
    parts = [_cast(array.slice(row, 1), wanted) for row in range(len(array))]
    wrong = {row: part.wrong[0] for row, part in enumerate(parts) if part.wrong}
    return Column(pa.concat_arrays([part.values for part in parts]), wrong)


_NAMES = {pa.string(): "UTF-8 text", pa.int64(): "whole number of 64 bits"}


def _short(value: object) -> str:
    line = " ".join(str(value).split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
